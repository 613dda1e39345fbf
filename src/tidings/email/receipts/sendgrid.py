"""SendGrid's signed Event Webhook.

Sources: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event and
.../tracking-events/getting-started-event-webhook-security-features
"""

from base64 import b64decode
from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

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
from tidings.email.receipts.webhook import Forged, Posted, check_age, each_of, moment, words
from tidings.email.references import read_reference
from tidings.email.return_path import ReturnPath

SIGNATURE_HEADER = "x-twilio-email-event-webhook-signature"
TIMESTAMP_HEADER = "x-twilio-email-event-webhook-timestamp"

_PLAIN = {"delivered": DELIVERED, "deferred": DEFERRED, "spamreport": COMPLAINT}
_CLASSES = {
    "Invalid Address": DEAD,
    "Mailbox Unavailable": AILING,
    "Content": BLAMELESS,
    "Reputation": BLAMELESS,
    "Technical": BLAMELESS,
    "Frequency or Volume Too High": BLAMELESS,
}
"""Of a bounce without a clear status code, by its `bounce_classification`."""
_DROPPED_AS_DEAD = ("bounced address", "invalid")


class _Event(msgspec.Struct, frozen=True):
    """One event. The custom arguments of the send stand beside its own fields."""

    event: str
    timestamp: float
    sg_event_id: str
    email: str | None = None
    notification_id: object = None
    sg_message_id: str | None = None
    type: str | None = None
    status: str | None = None
    reason: str | None = None
    response: str | None = None
    bounce_classification: str | None = None


class SendGridWebhook:
    """Verifies with the public key (base64 DER) that SendGrid shows beside the webhook's settings.

    Raises:
        ValueError: it is no such key.
    """

    def __init__(self, name: str, public_key: str, paths: ReturnPath) -> None:
        self._name = name
        self._paths = paths
        try:
            key = load_der_public_key(b64decode(public_key, validate=True))
        except UnsupportedAlgorithm as error:
            raise ValueError(str(error)) from error
        if not isinstance(key, EllipticCurvePublicKey):
            raise ValueError("the key is not of an elliptic curve")  # noqa: TRY004 - a value that was configured
        self._key = key

    async def read(self, posted: Posted) -> Sequence[Receipt | None]:
        """Verify the signature over timestamp and raw body (ECDSA, SHA-256), then read the events."""
        timestamp = posted.headers.get(TIMESTAMP_HEADER, "")
        try:
            signature = b64decode(posted.headers.get(SIGNATURE_HEADER, ""), validate=True)
            self._key.verify(signature, timestamp.encode() + posted.body, ECDSA(SHA256()))
        except (ValueError, InvalidSignature) as error:
            raise Forged("The signature is not SendGrid's for this body") from error
        check_age(timestamp)
        return [None if event is None else self._receipt(event) for event in each_of(posted.body, _Event)]

    def _receipt(self, event: _Event) -> Receipt | None:
        mail, verdict = read_reference(event.notification_id, self._paths), _verdict(event)
        if mail is None or verdict is None:
            return None
        return Receipt(
            event_id=event.sg_event_id,
            kind=verdict.kind,
            notification_id=mail.notification_id,
            at=moment(event.timestamp),
            provider=self._name,
            provider_ref=event.sg_message_id,
            address=event.email if verdict.blames_mailbox else None,
            copy=mail.is_copy(event.email),
            detail=words(event.reason or event.response),
        )


def _verdict(event: _Event) -> Verdict | None:
    match event.event, event.type:
        case "bounce", "blocked":
            # The server refused us, or this message, or all mail for now: the address is never dead.
            return AILING if verdict_of(event.status or "", BLAMELESS) is AILING else BLAMELESS
        case "bounce", _:
            unsaid = _CLASSES.get(event.bounce_classification or "", DEAD)
            return verdict_of(event.status or event.reason or "", unsaid)
        case "dropped", _:
            dead = (event.reason or "").casefold().startswith(_DROPPED_AS_DEAD)
            return DEAD if dead else BLAMELESS
    return _PLAIN.get(event.event)
