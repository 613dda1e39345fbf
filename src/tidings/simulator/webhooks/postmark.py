"""Postmark's delivery, bounce and spam complaint webhooks.

https://postmarkapp.com/developer/webhooks/webhooks-overview
"""

from base64 import b64encode
from typing import Any

from tidings.simulator.webhooks.events import Event, zulu
from tidings.simulator.webhooks.posting import Posting, json_posting
from tidings.simulator.webhooks.targets import PostmarkTarget

# kind -> (Type, TypeCode, Name, the server's reply, whether the address is now inactive);
# https://postmarkapp.com/developer/api/bounce-api#bounce-types
_BOUNCES = {
    "bounced": ("HardBounce", 1, "Hard bounce", "smtp;550 5.1.1 user unknown", True),
    "soft_bounced": ("SoftBounce", 4096, "Soft bounce", "smtp;452 4.2.2 mailbox full", False),
    "deferred": ("Transient", 2, "Message delayed", "smtp;451 4.3.0 try again later", False),
    "complained": ("SpamComplaint", 512, "Spam complaint", "", True),
}


def postmark_posting(event: Event, target: PostmarkTarget) -> Posting | None:
    """One event, or None for the one that Postmark does not report: that it took the email."""
    if event.kind == "accepted":
        return None
    headers = {}
    if target.username is not None:
        credentials = f"{target.username}:{target.password}".encode()
        headers["Authorization"] = f"Basic {b64encode(credentials).decode()}"
    body = _delivery(event) if event.kind == "delivered" else _bounce(event)
    return json_posting(body, headers, agent="Postmark")


def _about(event: Event) -> dict[str, Any]:
    email = event.email
    return {
        "MessageID": email.reference,
        "MessageStream": "outbound",
        "ServerID": 1,
        "Tag": next(iter(email.tags), ""),
        "Metadata": email.custom,
    }


def _delivery(event: Event) -> dict[str, Any]:
    return _about(event) | {
        "RecordType": "Delivery",
        "Recipient": event.recipient,
        "DeliveredAt": zulu(event.at),
        "Details": "smtp;250 2.0.0 OK",
    }


def _bounce(event: Event) -> dict[str, Any]:
    kind, code, name, reply, inactive = _BOUNCES[event.kind]
    return _about(event) | {
        "RecordType": "SpamComplaint" if event.kind == "complained" else "Bounce",
        # Postmark numbers bounces; the id of the event is a number as well.
        "ID": event.id.int % 2**53,
        "Type": kind,
        "TypeCode": code,
        "Name": name,
        "Description": name,
        "Details": reply,
        "Email": event.recipient,
        "From": event.email.sender,
        "BouncedAt": zulu(event.at),
        "DumpAvailable": False,
        "Inactive": inactive,
        "CanActivate": event.kind == "bounced",
        "Subject": event.email.subject,
    }
