"""Signed, unguessable parts of links: who holds one may do the one thing it names, without a login.

They carry no time: a message may be read, and its link followed, years after it was sent.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SIGNATURE_BYTES = 16
"""HMAC-SHA256, cut to half as RFC 2104 (section 5) allows: links stay short enough for any mail client."""


class InvalidLink(ValueError):
    """A token that none of our secrets signed for this purpose: changed, cut off, or not ours."""


def sign(secret: str, purpose: str, claims: Mapping[str, str]) -> str:
    """A token that says `claims`: readable by anyone, changeable by no one, of URL-safe characters only.

    Each purpose has a key of its own, so that a token for one is worth nothing for another.
    """
    content = msgspec.msgpack.encode(claims)
    return _text(_signature(secret, purpose, content) + content)


def read(secrets: Sequence[str], purpose: str, token: str) -> dict[str, str]:
    """What a token says. Any of `secrets` may have signed it: the present one, and those it replaced.

    Raises:
        InvalidLink: none of them did.
    """
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError as error:
        raise InvalidLink("The token is not base64url") from error
    signature, content = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
    signed = [hmac.compare_digest(signature, _signature(secret, purpose, content)) for secret in secrets]
    # Decoding passes over foreign characters and spare bits; only the very token we gave is ours.
    if not any(signed) or _text(raw) != token:
        raise InvalidLink(f"The token was changed, or not signed here for the purpose {purpose!r}")
    return msgspec.msgpack.decode(content, type=dict[str, str])


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _signature(secret: str, purpose: str, content: bytes) -> bytes:
    return hmac.digest(_key(secret, purpose), content, "sha256")[:SIGNATURE_BYTES]


@lru_cache(maxsize=32)
def _key(secret: str, purpose: str) -> bytes:
    # The secret signs service tokens too; a derived key (RFC 5869) keeps the two apart.
    info = f"tidings signed link: {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())
