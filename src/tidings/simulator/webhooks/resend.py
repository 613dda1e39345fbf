"""Resend's webhooks, signed as Svix and Standard Webhooks sign.

https://resend.com/docs/dashboard/webhooks/event-types, https://docs.svix.com/receiving/verifying-payloads/how-manual
"""

import hmac
from base64 import b64decode, b64encode
from typing import Any

import msgspec

from tidings.kit.ids import now
from tidings.simulator.webhooks.events import Event, EventKind, seconds, zulu
from tidings.simulator.webhooks.posting import Posting
from tidings.simulator.webhooks.targets import ResendTarget

_TYPES: dict[EventKind, str] = {
    "accepted": "email.sent",
    "delivered": "email.delivered",
    "deferred": "email.delivery_delayed",
    "bounced": "email.bounced",
    "soft_bounced": "email.bounced",
    "complained": "email.complained",
}
_BOUNCES: dict[EventKind, dict[str, str]] = {
    "bounced": {
        "type": "Permanent",
        "subType": "General",
        "message": "The recipient's email provider sent a hard bounce message.",
    },
    "soft_bounced": {
        "type": "Transient",
        "subType": "MailboxFull",
        "message": "The recipient's email provider sent a bounce message because the inbox was full.",
    },
}


def resend_posting(event: Event, target: ResendTarget) -> Posting:
    """One event; its `svix-id` stays the same at every attempt, the timestamp does not."""
    body = msgspec.json.encode(_event(event))
    message_id, timestamp = f"msg_{event.id.hex}", str(seconds(now()))
    secret = b64decode(target.secret.removeprefix("whsec_"))
    digest = hmac.digest(secret, f"{message_id}.{timestamp}.".encode() + body, "sha256")
    return Posting(
        body,
        {
            "Content-Type": "application/json",
            "User-Agent": "Svix-Webhooks/1.62.0",
            "svix-id": message_id,
            "svix-timestamp": timestamp,
            "svix-signature": f"v1,{b64encode(digest).decode()}",
        },
    )


def _event(event: Event) -> dict[str, Any]:
    email = event.email
    data: dict[str, Any] = {
        "created_at": zulu(email.taken_at),
        "email_id": email.reference,
        "from": email.sender,
        # One recipient each, although Resend lists all of an email's: ours have a life of their own.
        "to": [event.recipient],
        "subject": email.subject,
        "tags": email.custom,
    }
    if event.kind in _BOUNCES:
        data["bounce"] = _BOUNCES[event.kind]
    return {"type": _TYPES[event.kind], "created_at": zulu(event.at), "data": data}
