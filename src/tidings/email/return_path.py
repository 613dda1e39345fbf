"""The return path: where bounces of an email go, with a token of its own for each (VERP)."""

import hmac
from base64 import b32decode, b32encode
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import idna
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PREFIX = "b+"
_ID_BYTES = 16
_ADDRESS_TAG_BYTES = 4
_SIGNATURE_BYTES = 10
_TOKEN_CHARS = 48
"""30 bytes in base32 without padding. With the prefix that is 50 of the 64 that a local part may have
(RFC 5321, section 4.5.3.1.1)."""


@dataclass(frozen=True, slots=True)
class Bounced:
    """What a return path of ours says about the email that it was made for."""

    notification_id: UUID
    fits: Callable[[str], bool]
    """Whether the email went to this address."""


class ReturnPath:
    """Makes and reads return paths at `domain`, or answers `default` where there is no such domain.

    A token is the notification's id, a tag of the address that it went to, and a signature, so that
    nobody can bounce what was never sent, nor speak of another address than the one it was sent to.
    It is in lower-case base32, because mail servers may change the case of what they report.
    """

    def __init__(self, secret: str, domain: str | None, default: str) -> None:
        # The secret signs service tokens too; a derived key (RFC 5869) keeps the two apart.
        kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"tidings return path")
        self._key = kdf.derive(secret.encode())
        self._domain = None if domain is None else _ascii_domain(domain)
        self._default = default

    def of(self, notification_id: UUID, to: str) -> str:
        """The envelope sender of the email that goes to `to`."""
        if self._domain is None:
            return self._default
        content = notification_id.bytes + self._tag(to)
        token = b32encode(content + self._signature(content)).decode("ascii").lower()
        return f"{PREFIX}{token}@{self._domain}"

    def read(self, address: str) -> Bounced | None:
        """What the address says; None unless this service made it."""
        local, _, domain = address.lower().rpartition("@")
        token = local.removeprefix(PREFIX)
        if domain != self._domain or len(token) != _TOKEN_CHARS or not local.startswith(PREFIX):
            return None
        try:
            raw = b32decode(token.upper())
        except ValueError:
            return None
        content, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(content)):
            return None
        tag = content[_ID_BYTES:]
        return Bounced(
            UUID(bytes=content[:_ID_BYTES]), lambda named: hmac.compare_digest(self._tag(named), tag)
        )

    def tag(self, address: str) -> str:
        """8 characters that tell one address from another, and do not give it away."""
        return self._tag(address).hex()

    def _tag(self, address: str) -> bytes:
        named = b"address\0" + _comparable(address).encode("utf-8", "surrogateescape")
        return hmac.digest(self._key, named, "sha256")[:_ADDRESS_TAG_BYTES]

    def _signature(self, content: bytes) -> bytes:
        return hmac.digest(self._key, b"token\0" + content, "sha256")[:_SIGNATURE_BYTES]


def _comparable(address: str) -> str:
    """The form in which two spellings of one mailbox are equal: reports name domains in ASCII."""
    local, at, domain = address.rpartition("@")
    return f"{local.casefold()}{at}{_ascii_domain(domain)}"


def _ascii_domain(domain: str) -> str:
    """The domain's ASCII form (RFC 5891) in lower case; what has none stays as it is."""
    try:
        return domain.lower() if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii").lower()
    except UnicodeError:
        return domain.casefold()
