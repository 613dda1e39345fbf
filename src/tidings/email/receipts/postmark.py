"""Postmark's webhooks. They are not signed: a user and a password in the URL prove whose they are.

Sources: https://postmarkapp.com/developer/webhooks/webhooks-overview and
https://postmarkapp.com/developer/api/bounce-api#bounce-types
"""

import hmac
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from tidings.contracts.messages import Receipt
from tidings.email.receipts.verdict import AILING, BLAMELESS, COMPLAINT, DEAD, DEFERRED, DELIVERED, Verdict
from tidings.email.receipts.webhook import Forged, Posted, decoded, past, words
from tidings.email.references import read_reference
from tidings.email.return_path import ReturnPath

_BOUNCES = {
    "HardBounce": DEAD,
    "BadEmailAddress": DEAD,
    "SoftBounce": AILING,
    "Transient": DEFERRED,
    "Blocked": BLAMELESS,
    "DMARCPolicy": BLAMELESS,
    "DnsError": BLAMELESS,
    "ManuallyDeactivated": BLAMELESS,
    "SMTPApiError": BLAMELESS,
    "SpamNotification": BLAMELESS,
    "Unconfirmed": BLAMELESS,
    "Unknown": BLAMELESS,
    "VirusNotification": BLAMELESS,
    "SpamComplaint": COMPLAINT,
}
"""By `Type`. What is not here (AutoResponder, ChallengeVerification, Subscribe …) is no bounce of ours."""

_Moment = Annotated[datetime, Meta(tz=True)]


class _Event(msgspec.Struct, frozen=True, rename="pascal"):
    """A Delivery, a Bounce or a SpamComplaint, as `RecordType` says."""

    record_type: str
    message_id: str = msgspec.field(name="MessageID", default="")
    id: int = msgspec.field(name="ID", default=0)
    type: str | None = None
    recipient: str | None = None
    email: str | None = None
    delivered_at: _Moment | None = None
    bounced_at: _Moment | None = None
    details: str | None = None
    description: str | None = None
    metadata: dict[str, object] | None = None


class PostmarkWebhook:
    """Takes what comes with the `username` and `password` given to Postmark."""

    def __init__(self, name: str, username: str, password: str, paths: ReturnPath) -> None:
        self._name = name
        self._paths = paths
        self._expected = b"Basic " + b64encode(f"{username}:{password}".encode())

    async def read(self, posted: Posted) -> Sequence[Receipt | None]:
        """Compare the credential in constant time, then read the one event."""
        shown = posted.headers.get("authorization", "").encode()
        if not hmac.compare_digest(shown, self._expected):
            raise Forged(
                "The user and password are not those of this webhook; set them in its URL at Postmark"
            )
        return [self._receipt(decoded(posted.body, _Event))]

    def _receipt(self, event: _Event) -> Receipt | None:
        mail = read_reference((event.metadata or {}).get("notification_id"), self._paths)
        verdict = _verdict(event)
        at, address = event.delivered_at or event.bounced_at, event.recipient or event.email
        if mail is None or verdict is None or at is None:
            return None
        return Receipt(
            event_id=f"{event.record_type}:{event.message_id}:{event.id}:{address}",
            kind=verdict.kind,
            notification_id=mail.notification_id,
            at=past(at),
            provider=self._name,
            provider_ref=event.message_id or None,
            address=address if verdict.blames_mailbox else None,
            copy=mail.is_copy(address),
            detail=words(event.type, event.description, event.details),
        )


def _verdict(event: _Event) -> Verdict | None:
    match event.record_type:
        case "Delivery":
            return DELIVERED
        case "SpamComplaint":
            return COMPLAINT
        case "Bounce":
            return _BOUNCES.get(event.type or "")
    return None
