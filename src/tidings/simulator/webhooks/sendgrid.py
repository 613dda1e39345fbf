"""SendGrid's signed event webhook.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event and
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

import msgspec

from tidings.kit.ids import now
from tidings.simulator.webhooks.events import Event, EventKind, seconds
from tidings.simulator.webhooks.keys import SigningKeys
from tidings.simulator.webhooks.posting import Posting

_DETAILS: dict[EventKind, dict[str, Any]] = {
    "accepted": {"event": "processed"},
    "delivered": {"event": "delivered", "response": "250 2.0.0 OK"},
    "deferred": {
        "event": "deferred",
        "response": "451 4.3.0 Requested action aborted: try again later",
        "attempt": "1",
    },
    "bounced": {
        "event": "bounce",
        "type": "bounce",
        "status": "5.1.1",
        "reason": "550 5.1.1 The email account that you tried to reach does not exist",
        "bounce_classification": "Invalid Address",
    },
    # SendGrid's name for a bounce that says nothing about the address.
    "soft_bounced": {
        "event": "bounce",
        "type": "blocked",
        "status": "4.2.2",
        "reason": "452 4.2.2 The mailbox is over its quota",
        "bounce_classification": "Mailbox Unavailable",
    },
    "complained": {"event": "spamreport"},
}


def sendgrid_posting(events: Sequence[Event], keys: SigningKeys) -> Posting:
    """A batch of events. The signature covers the timestamp and the body to its last line break."""
    body = b"[" + b",\r\n".join(msgspec.json.encode(_event(event)) for event in events) + b"]\r\n"
    timestamp = str(seconds(now()))
    return Posting(
        body,
        {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "SendGrid Event API",
            "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
            "X-Twilio-Email-Event-Webhook-Signature": keys.sign_p256(timestamp.encode() + body),
        },
    )


def _event(event: Event) -> dict[str, Any]:
    email = event.email
    known = {
        "email": event.recipient,
        "timestamp": seconds(event.at),
        "smtp-id": email.message_id,
        "category": list(email.tags),
        "sg_event_id": urlsafe_b64encode(event.id.bytes).decode().rstrip("="),
        "sg_message_id": f"{email.reference}.recvd-6f8d9c7b5-x2k4j-1-65A1B2C3-4.0",
    }
    return {**email.custom, **known, **_DETAILS[event.kind]}
