"""Webhook requests as each provider makes and signs them, from the words of its documentation."""

import hmac
import json
import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from tidings.contracts.messages import ReceiptKind
from tidings.email.receipts.webhook import Posted

TOPIC = "arn:aws:sns:eu-west-1:123456789012:email-events"


@dataclass(frozen=True)
class Happening:
    """Something that became of an email."""

    kind: ReceiptKind
    notification_id: UUID | str
    address: str
    at: datetime
    event_id: str


@dataclass(frozen=True)
class CertificateHost:
    """A stand-in for Amazon's hosts: certificates by name, and which subscriptions were confirmed."""

    url: str
    certificates: dict[str, bytes]
    confirmed: list[str]


class Sender(Protocol):
    """A provider that reports. `signed_at` is what it says the time is."""

    def post(self, happening: Happening, signed_at: datetime) -> Posted: ...


def signed(body: bytes, headers: Mapping[str, object]) -> Posted:
    return Posted({name: str(value) for name, value in headers.items()}, body)


class SendGridSender:
    """Signs with a key of its own."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        der = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.public_key = b64encode(der).decode()

    def post(self, happening: Happening, signed_at: datetime) -> Posted:
        kinds = {
            ReceiptKind.DELIVERED: {"event": "delivered", "response": "250 OK"},
            ReceiptKind.DEFERRED: {"event": "deferred", "response": "450 later", "attempt": "3"},
            ReceiptKind.SOFT_BOUNCE: {"event": "bounce", "type": "bounce", "status": "5.2.2"},
            ReceiptKind.HARD_BOUNCE: {"event": "bounce", "type": "bounce", "status": "5.1.1"},
            ReceiptKind.COMPLAINT: {"event": "spamreport"},
        }
        event = {
            "email": happening.address,
            "timestamp": int(happening.at.timestamp()),
            "sg_event_id": happening.event_id,
            "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
            "notification_id": str(happening.notification_id),
            **kinds[happening.kind],
        }
        return self.sign([event], signed_at)

    def sign(self, events: Sequence[object], signed_at: datetime) -> Posted:
        timestamp = str(int(signed_at.timestamp()))
        body = json.dumps(events).encode() + b"\r\n"
        signature = self._key.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
        headers = {
            "x-twilio-email-event-webhook-signature": b64encode(signature).decode(),
            "x-twilio-email-event-webhook-timestamp": timestamp,
        }
        return signed(body, headers)


class SesSender:
    """Signs as SNS does, with a certificate of its own, to be had at `certificate_url`."""

    def __init__(self, certificate_url: str, *, version: str = "2") -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        self._url = certificate_url
        self._version = version
        self.certificate = self.certified()

    def certified(self, days: int = 1) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.test")])
        today = datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, self._key.public_key(), x509.random_serial_number())
        dated = builder.not_valid_before(today - timedelta(days=9)).not_valid_after(
            today + timedelta(days=days)
        )
        return dated.sign(self._key, SHA256()).public_bytes(Encoding.PEM)

    def post(self, happening: Happening, signed_at: datetime) -> Posted:
        return self.sign(self.event(happening), signed_at, message_id=happening.event_id)

    def event(self, happening: Happening) -> dict[str, Any]:
        at, address = happening.at.isoformat(), happening.address
        soft = {"bounceType": "Transient", "bounceSubType": "MailboxFull"}
        hard = {"bounceType": "Permanent", "bounceSubType": "General"}
        recipients = [{"emailAddress": address, "action": "failed", "status": "5.0.0"}]
        kinds: dict[ReceiptKind, dict[str, Any]] = {
            ReceiptKind.DELIVERED: {
                "eventType": "Delivery",
                "delivery": {"timestamp": at, "recipients": [address]},
            },
            ReceiptKind.DEFERRED: {
                "eventType": "DeliveryDelay",
                "deliveryDelay": {"timestamp": at, "delayedRecipients": [{"emailAddress": address}]},
            },
            ReceiptKind.SOFT_BOUNCE: {
                "eventType": "Bounce",
                "bounce": {"timestamp": at, "bouncedRecipients": recipients, **soft},
            },
            ReceiptKind.HARD_BOUNCE: {
                "eventType": "Bounce",
                "bounce": {"timestamp": at, "bouncedRecipients": recipients, **hard},
            },
            ReceiptKind.COMPLAINT: {
                "eventType": "Complaint",
                "complaint": {"timestamp": at, "complainedRecipients": [{"emailAddress": address}]},
            },
        }
        tags = {"notification_id": [str(happening.notification_id)], "ses:configuration-set": ["all"]}
        mail = {"timestamp": at, "messageId": "0102018b-0000", "destination": [address], "tags": tags}
        return {"mail": mail, **kinds[happening.kind]}

    def sign(
        self,
        event: Mapping[str, Any],
        signed_at: datetime,
        *,
        message_id: str = "",
        **changed: str,
    ) -> Posted:
        fields = {
            "Message": json.dumps(event),
            "MessageId": message_id or secrets.token_hex(8),
            "Timestamp": signed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "TopicArn": TOPIC,
            "Type": "Notification",
            **changed,
        }
        text = "".join(f"{name}\n{fields[name]}\n" for name in sorted(fields))
        algorithm = SHA1() if self._version == "1" else SHA256()  # noqa: S303 - Amazon's version 1
        signature = self._key.sign(text.encode(), PKCS1v15(), algorithm)
        fields |= {
            "SignatureVersion": self._version,
            "Signature": b64encode(signature).decode(),
            "SigningCertURL": self._url,
        }
        return signed(json.dumps(fields).encode(), {"content-type": "text/plain; charset=UTF-8"})


class PostmarkSender:
    """Shows a user and a password."""

    def __init__(self, password: str) -> None:
        self._password = password

    def post(self, happening: Happening, signed_at: datetime) -> Posted:
        del signed_at  # it does not say
        at = happening.at.isoformat()
        bounce = {"RecordType": "Bounce", "Email": happening.address, "BouncedAt": at, "ID": 4}
        delivery: dict[str, object] = {
            "RecordType": "Delivery",
            "Recipient": happening.address,
            "DeliveredAt": at,
        }
        kinds: dict[ReceiptKind, dict[str, object]] = {
            ReceiptKind.DELIVERED: delivery,
            ReceiptKind.DEFERRED: {**bounce, "Type": "Transient"},
            ReceiptKind.SOFT_BOUNCE: {**bounce, "Type": "SoftBounce"},
            ReceiptKind.HARD_BOUNCE: {**bounce, "Type": "HardBounce"},
            ReceiptKind.COMPLAINT: {**bounce, "RecordType": "SpamComplaint", "Type": "SpamComplaint"},
        }
        return self.sign(
            {
                "MessageID": happening.event_id,
                "Metadata": {"notification_id": str(happening.notification_id)},
                **kinds[happening.kind],
            }
        )

    def sign(self, event: Mapping[str, object]) -> Posted:
        credential = b64encode(f"tidings:{self._password}".encode()).decode()
        return signed(json.dumps(event).encode(), {"authorization": f"Basic {credential}"})


class MailgunSender:
    """Signs a time and a token."""

    def __init__(self, key: str) -> None:
        self._key = key

    def post(self, happening: Happening, signed_at: datetime) -> Posted:
        permanent = {"event": "failed", "severity": "permanent", "reason": "bounce"}
        kinds: dict[ReceiptKind, dict[str, object]] = {
            ReceiptKind.DELIVERED: {"event": "delivered", "delivery-status": {"code": 250}},
            ReceiptKind.DEFERRED: {"event": "failed", "severity": "temporary", "reason": "generic"},
            ReceiptKind.SOFT_BOUNCE: {**permanent, "delivery-status": {"code": 552, "message": "5.2.2 full"}},
            ReceiptKind.HARD_BOUNCE: {**permanent, "delivery-status": {"code": 550, "message": "5.1.1 no"}},
            ReceiptKind.COMPLAINT: {"event": "complained"},
        }
        event = {
            "id": "DACSsAdVSeGpLid7TN03WA",
            "timestamp": happening.at.timestamp(),
            "recipient": happening.address,
            "message": {"headers": {"message-id": "20130503182626.18666.16540@mail.example.com"}},
            "user-variables": {"notification_id": str(happening.notification_id)},
            **kinds[happening.kind],
        }
        return self.sign(event, signed_at, token=happening.event_id)

    def sign(self, event: Mapping[str, object], signed_at: datetime, *, token: str) -> Posted:
        timestamp = str(int(signed_at.timestamp()))
        signature = hmac.digest(self._key.encode(), f"{timestamp}{token}".encode(), "sha256").hex()
        proof = {"timestamp": timestamp, "token": token, "signature": signature}
        return signed(json.dumps({"signature": proof, "event-data": event}).encode(), {})


class ResendSender:
    """Signs as Svix does."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.secret = "whsec_" + b64encode(secret).decode()

    def post(self, happening: Happening, signed_at: datetime) -> Posted:
        kinds: dict[ReceiptKind, tuple[str, dict[str, object]]] = {
            ReceiptKind.DELIVERED: ("email.delivered", {}),
            ReceiptKind.DEFERRED: ("email.delivery_delayed", {}),
            ReceiptKind.SOFT_BOUNCE: ("email.bounced", {"bounce": {"type": "Transient", "message": "full"}}),
            ReceiptKind.HARD_BOUNCE: ("email.bounced", {"bounce": {"type": "Permanent", "message": "no"}}),
            ReceiptKind.COMPLAINT: ("email.complained", {}),
        }
        kind, more = kinds[happening.kind]
        data = {
            "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
            "to": [happening.address],
            "tags": {"notification_id": str(happening.notification_id)},
            **more,
        }
        event = {"type": kind, "created_at": happening.at.isoformat(), "data": data}
        return self.sign(event, signed_at, message_id=happening.event_id)

    def sign(self, event: Mapping[str, object], signed_at: datetime, *, message_id: str) -> Posted:
        timestamp, body = str(int(signed_at.timestamp())), json.dumps(event).encode()
        signature = hmac.digest(self._secret, f"{message_id}.{timestamp}.".encode() + body, "sha256")
        headers = {
            "svix-id": message_id,
            "svix-timestamp": timestamp,
            "svix-signature": f"v1,bm90IHRoaXMgb25l v1,{b64encode(signature).decode()}",
        }
        return signed(body, headers)
