"""Mailgun's webhooks.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads and
https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from typing import Any

from tidings.simulator.webhooks.events import Event, seconds
from tidings.simulator.webhooks.posting import Posting, json_posting
from tidings.simulator.webhooks.targets import MailgunTarget


def mailgun_posting(event: Event, target: MailgunTarget) -> Posting:
    """One event, signed once: whoever gets it again gets the same token again, and can tell."""
    timestamp = str(seconds(event.email.taken_at))
    token = hashlib.sha256(event.id.bytes).hexdigest()[:50]
    digest = hmac.digest(target.signing_key.encode(), f"{timestamp}{token}".encode(), "sha256")
    signature = {"timestamp": timestamp, "token": token, "signature": digest.hex()}
    body = {"signature": signature, "event-data": _event_data(event)}
    return json_posting(body, agent="mailgun/treq-20.9.0")


def _event_data(event: Event) -> dict[str, Any]:
    email = event.email
    headers = {
        "to": ", ".join(email.recipients),
        "from": email.sender,
        "subject": email.subject,
        "message-id": email.reference,
    }
    return _details(event) | {
        "id": urlsafe_b64encode(event.id.bytes).decode().rstrip("="),
        "timestamp": event.at.timestamp(),
        "recipient": event.recipient,
        "recipient-domain": event.recipient.rpartition("@")[2],
        "message": {"headers": headers, "attachments": [], "size": email.size},
        "envelope": {"sender": email.return_path, "targets": event.recipient, "transport": "smtp"},
        "flags": {"is-authenticated": True, "is-test-mode": False},
        "tags": list(email.tags),
        "campaigns": [],
        "user-variables": email.custom,
    }


def _details(event: Event) -> dict[str, Any]:
    match event.kind:
        case "accepted":
            return {"event": "accepted", "log-level": "info", "method": "HTTP"}
        case "delivered":
            return {
                "event": "delivered",
                "log-level": "info",
                "delivery-status": _status(250, "OK", attempt=1),
            }
        case "deferred":
            status = _status(451, "4.3.0 Try again later", attempt=1) | {"retry-seconds": 600}
            return _failed("temporary", "generic", "warn", status)
        case "bounced":
            return _failed("permanent", "bounce", "error", _status(550, "5.1.1 User unknown", attempt=1))
        case "soft_bounced":
            # What Mailgun says when it has given up on replies that were temporary each time.
            return _failed("permanent", "old", "error", _status(452, "4.2.2 Mailbox full", attempt=8))
        case "complained":
            return {"event": "complained", "log-level": "warn"}


def _failed(severity: str, reason: str, level: str, status: dict[str, Any]) -> dict[str, Any]:
    return {
        "event": "failed",
        "severity": severity,
        "reason": reason,
        "log-level": level,
        "delivery-status": status,
    }


def _status(code: int, message: str, *, attempt: int) -> dict[str, Any]:
    return {
        "code": code,
        "message": message,
        "description": "",
        "attempt-no": attempt,
        "session-seconds": 0.5,
        "mx-host": "mx.simulator.tidings.test",
        "tls": True,
    }
