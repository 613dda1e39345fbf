"""Messages of Amazon SNS, and the proof that they are Amazon's.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import re
from base64 import b64decode
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from cachetools import TTLCache
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from msgspec import Meta

from tidings.email.receipts.webhook import OLDEST, Forged
from tidings.kit.errors import Unavailable
from tidings.kit.ids import now
from tidings.kit.outbound import ForbiddenAddress, Outbound, TooLarge, Unreachable

CERTIFICATES_KEPT = 10
CERTIFICATE_SECONDS = 24 * 3600
ANSWER_BYTES = 64 * 1024
ANSWER_SECONDS = 5.0
_AMAZON = re.compile(r"sns\.[a-z0-9-]{3,30}\.amazonaws\.com(\.cn)?")
_HASHES = {"1": SHA1, "2": SHA256}
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}
_SIGNED["UnsubscribeConfirmation"] = _SIGNED["SubscriptionConfirmation"]


class SnsMessage(msgspec.Struct, frozen=True, rename="pascal"):
    """What SNS posts to an HTTP subscription."""

    type: Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]
    message_id: str
    topic_arn: str
    message: str
    timestamp: str
    signature_version: str
    signature: str
    signing_cert_url: str = msgspec.field(name="SigningCertURL")
    subject: str | None = None
    subscribe_url: str | None = msgspec.field(name="SubscribeURL", default=None)
    token: str | None = None

    def signed_text(self) -> bytes:
        """The names and values that the signature covers, each on its line."""
        values: dict[str, str] = {
            name: value for name, value in msgspec.to_builtins(self).items() if value is not None
        }
        lines = [f"{name}\n{values[name]}\n" for name in _SIGNED[self.type] if name in values]
        return "".join(lines).encode()


class SnsVerifier:
    """Takes the messages of one topic. Certificates are fetched from Amazon's own hosts only, and kept.

    `url_prefix` names a stand-in for those hosts.
    """

    def __init__(self, topic_arn: str, outbound: Outbound, url_prefix: str | None = None) -> None:
        self._topic_arn = topic_arn
        self._outbound = outbound
        self._url_prefix = url_prefix
        self._keys: TTLCache[str, RSAPublicKey] = TTLCache(CERTIFICATES_KEPT, CERTIFICATE_SECONDS)

    async def check(self, message: SnsMessage) -> None:
        """Pass a message of the topic that Amazon signed.

        Raises:
            Forged: it is not, or too old.
            Unavailable: the certificate cannot be fetched now.
        """
        if message.topic_arn != self._topic_arn:
            raise Forged("The message is of another SNS topic than the provider's `topic_arn`")
        algorithm = _HASHES.get(message.signature_version)
        if algorithm is None:
            raise Forged(f"Of signature versions there are 1 and 2, not {message.signature_version[:10]!r}")
        key = await self._key_at(message.signing_cert_url)
        try:
            # Version 1 is SHA-1: it is SNS's default, and forging one takes a second preimage.
            key.verify(b64decode(message.signature), message.signed_text(), PKCS1v15(), algorithm())
        except (ValueError, InvalidSignature) as error:
            raise Forged("The signature is not that of Amazon SNS for this message") from error
        _check_age(message.timestamp)

    async def confirm(self, message: SnsMessage) -> None:
        """Answer Amazon's question whether this endpoint wants the topic's messages.

        Raises:
            Forged: the address to answer at is not Amazon's.
            Unavailable: it does not answer now.
        """
        await self._get(message.subscribe_url or "")

    async def _key_at(self, url: str) -> RSAPublicKey:
        known = self._keys.get(url)
        if known is not None:
            return known
        try:
            certificate = x509.load_pem_x509_certificate(await self._get(url))
        except ValueError as error:
            raise Forged("There is no certificate at SigningCertURL") from error
        key = certificate.public_key()
        current = certificate.not_valid_before_utc <= now() <= certificate.not_valid_after_utc
        if not current or not isinstance(key, RSAPublicKey):
            raise Forged("The certificate at SigningCertURL is not valid now, or holds no RSA key")
        self._keys[url] = key
        return key

    async def _get(self, url: str) -> bytes:
        if not self._is_amazons(url):
            raise Forged("The message names an address that is not Amazon SNS's")
        try:
            answer = await self._outbound.get(url, limit_bytes=ANSWER_BYTES, seconds=ANSWER_SECONDS)
        except (ForbiddenAddress, TooLarge, Unreachable) as error:
            raise _unavailable(str(error)) from error
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise _unavailable(f"{answer.status} at {url[:200]}")
        return answer.body

    def _is_amazons(self, url: str) -> bool:
        if self._url_prefix is not None:
            return url.startswith(f"{self._url_prefix.rstrip('/')}/")
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return parts.scheme == "https" and _AMAZON.fullmatch(parts.netloc) is not None


def _unavailable(why: str) -> Unavailable:
    return Unavailable(f"Amazon SNS cannot be asked now: {why}", code="sns_unavailable", retry_after=10)


def _check_age(timestamp: str) -> None:
    try:
        age = now() - msgspec.convert(timestamp, Annotated[datetime, Meta(tz=True)])
    except msgspec.ValidationError as error:
        raise Forged("The message's Timestamp is no time") from error
    if age > OLDEST:
        raise Forged(f"The message is {age} old; this service takes none older than {OLDEST}")
