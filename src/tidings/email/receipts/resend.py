"""Resend's webhooks, signed the way of Svix.

Sources: https://resend.com/docs/webhooks/event-types and
https://docs.svix.com/receiving/verifying-payloads/how-manual
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

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
from tidings.email.receipts.webhook import Forged, Posted, check_age, decoded, past, words
from tidings.email.references import read_reference
from tidings.email.return_path import ReturnPath

_OLDEST = timedelta(minutes=5)
"""Svix signs each repetition anew, and asks for this tolerance."""
_PREFIX = "whsec_"
_PLAIN = {
    "email.delivered": DELIVERED,
    "email.delivery_delayed": DEFERRED,
    "email.complained": COMPLAINT,
    "email.failed": BLAMELESS,
    "email.suppressed": BLAMELESS,
}
_BOUNCES = {"Permanent": DEAD, "Transient": AILING}


class _Bounce(msgspec.Struct, frozen=True, rename="camel"):
    message: str | None = None
    type: str | None = None
    sub_type: str | None = None


class _Failure(msgspec.Struct, frozen=True):
    reason: str | None = None
    message: str | None = None


class _Tag(msgspec.Struct, frozen=True):
    name: str
    value: str


class _Data(msgspec.Struct, frozen=True):
    email_id: str | None = None
    to: list[str] = []
    tags: dict[str, object] | list[_Tag] | None = None
    bounce: _Bounce = _Bounce()
    failed: _Failure = _Failure()
    suppressed: _Failure = _Failure()


class _Event(msgspec.Struct, frozen=True):
    type: str
    created_at: Annotated[datetime, Meta(tz=True)]
    data: _Data


class ResendWebhook:
    """Verifies with the secret of the webhook's endpoint, which begins with `whsec_`.

    Raises:
        ValueError: it is no such secret.
    """

    def __init__(self, name: str, secret: str, paths: ReturnPath) -> None:
        self._name = name
        self._paths = paths
        self._key = b64decode(secret.removeprefix(_PREFIX), validate=True)

    async def read(self, posted: Posted) -> Sequence[Receipt | None]:
        """Verify the HMAC-SHA256 over id, time and raw body, then read the one event."""
        message_id, timestamp = posted.headers.get("svix-id", ""), posted.headers.get("svix-timestamp", "")
        signed = f"{message_id}.{timestamp}.".encode() + posted.body
        expected = b"v1," + b64encode(hmac.digest(self._key, signed, "sha256"))
        shown = posted.headers.get("svix-signature", "").encode().split(b" ")
        if not any(hmac.compare_digest(one, expected) for one in shown):
            raise Forged("No signature is Resend's for this body: compare the endpoint's secret")
        check_age(timestamp, _OLDEST)
        return self._receipts(message_id, decoded(posted.body, _Event))

    def _receipts(self, message_id: str, event: _Event) -> list[Receipt | None]:
        mail, verdict = read_reference(_tag(event.data.tags), self._paths), _verdict(event)
        if mail is None or verdict is None:
            return [None]
        data = event.data
        # An event about several recipients does not say which of them it is about, and one about an
        # email with copies may name the person whatever happened to whom.
        named = data.to[0] if len(data.to) == 1 else None
        copy = mail.is_copy(named)
        sure = verdict.blames_mailbox and (copy or not mail.has_copies)
        receipt = Receipt(
            event_id=message_id,
            kind=verdict.kind,
            notification_id=mail.notification_id,
            at=past(event.created_at),
            provider=self._name,
            provider_ref=data.email_id,
            address=named if sure else None,
            copy=copy,
            detail=words(data.bounce.message or data.failed.reason or data.suppressed.message),
        )
        return [receipt]


def _tag(tags: dict[str, object] | list[_Tag] | None) -> object:
    if isinstance(tags, list):
        tags = {tag.name: tag.value for tag in tags}
    return (tags or {}).get("notification_id")


def _verdict(event: _Event) -> Verdict | None:
    if event.type != "email.bounced":
        return _PLAIN.get(event.type)
    bounce = event.data.bounce
    return verdict_of(bounce.message or "", _BOUNCES.get(bounce.type or "", BLAMELESS))
