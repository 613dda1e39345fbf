"""Mailgun's webhooks.

Sources: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks and
https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure
"""

import hmac
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from tidings.contracts.messages import Receipt
from tidings.email.receipts.verdict import (
    AILING,
    BLAMELESS,
    COMPLAINT,
    DEAD,
    DEFERRED,
    DELIVERED,
    Verdict,
    verdict_of,
)
from tidings.email.receipts.webhook import Forged, Posted, check_age, decoded, moment, words
from tidings.email.references import read_reference
from tidings.email.return_path import ReturnPath

_OLDEST = timedelta(days=1)
"""Mailgun repeats an event for 8 hours."""
_PLAIN = {"delivered": DELIVERED, "complained": COMPLAINT, "rejected": BLAMELESS}
_PERMANENT = {"suppress-bounce": DEAD, "old": AILING}
"""Of permanent failures, by `reason`. `old`: Mailgun tried in vain until it gave up."""


class _Signature(msgspec.Struct, frozen=True):
    timestamp: str
    token: str
    signature: str


class _DeliveryStatus(msgspec.Struct, frozen=True, rename="kebab"):
    code: int | None = None
    message: str | None = None
    description: str | None = None
    enhanced_code: str | None = None
    bounce_type: str | None = None


class _Headers(msgspec.Struct, frozen=True, rename="kebab"):
    message_id: str | None = None


class _Message(msgspec.Struct, frozen=True):
    headers: _Headers = _Headers()


class _Event(msgspec.Struct, frozen=True, rename="kebab"):
    event: str
    timestamp: float
    recipient: str | None = None
    severity: str | None = None
    reason: str | None = None
    delivery_status: _DeliveryStatus = _DeliveryStatus()
    message: _Message = _Message()
    user_variables: dict[str, object] = {}


class _Envelope(msgspec.Struct, frozen=True):
    signature: _Signature
    event_data: _Event = msgspec.field(name="event-data")


class MailgunWebhook:
    """Verifies with the account's HTTP webhook signing key.

    The signature covers only a time and a token, not the event, so the token is the event's id: whoever
    sends a stolen token with other words repeats an event that was applied, and changes nothing.
    """

    def __init__(self, name: str, signing_key: str, paths: ReturnPath) -> None:
        self._name = name
        self._paths = paths
        self._key = signing_key.encode()

    async def read(self, posted: Posted) -> Sequence[Receipt | None]:
        """Verify the HMAC-SHA256 over timestamp and token, then read the one event."""
        envelope = decoded(posted.body, _Envelope)
        signed = envelope.signature
        expected = hmac.digest(self._key, f"{signed.timestamp}{signed.token}".encode(), "sha256").hex()
        if not hmac.compare_digest(signed.signature.encode(), expected.encode()):
            raise Forged("The signature is not Mailgun's: compare the webhook signing key")
        check_age(signed.timestamp, _OLDEST)
        return [self._receipt(signed.token, envelope.event_data)]

    def _receipt(self, token: str, event: _Event) -> Receipt | None:
        mail = read_reference(event.user_variables.get("notification_id"), self._paths)
        verdict = _verdict(event)
        if mail is None or verdict is None:
            return None
        status = event.delivery_status
        return Receipt(
            event_id=token,
            kind=verdict.kind,
            notification_id=mail.notification_id,
            at=moment(event.timestamp),
            provider=self._name,
            provider_ref=event.message.headers.message_id,
            address=event.recipient if verdict.blames_mailbox else None,
            copy=mail.is_copy(event.recipient),
            detail=words(str(status.code or ""), status.message or status.description),
        )


def _verdict(event: _Event) -> Verdict | None:
    if event.event != "failed":
        return _PLAIN.get(event.event)
    if event.severity != "permanent":
        return DEFERRED
    status = event.delivery_status
    if event.reason != "bounce":
        return _PERMANENT.get(event.reason or "", BLAMELESS)
    unsaid = AILING if status.bounce_type == "soft" else DEAD
    return verdict_of(status.enhanced_code or status.message or "", unsaid)
