"""Secrets at rest: encrypted with AES-256-GCM under keys derived from the service secret."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES = 12
SIGNING_KEYS = "tidings signing keys"


class Unsealable(ValueError):
    """It was sealed with another service secret, under another id, or changed since."""


def seal(secret: str, content_id: str, content: bytes, *, purpose: str = SIGNING_KEYS) -> bytes:
    """`content` so that only who knows the service secret can read it, and only under this id and purpose."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + _cipher(secret, purpose).encrypt(nonce, content, content_id.encode())


def unseal(secret: str, content_id: str, sealed: bytes, *, purpose: str = SIGNING_KEYS) -> bytes:
    """What was sealed.

    Raises:
        Unsealable: with another secret, under another id or for another purpose, or changed since.
    """
    nonce, encrypted = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return _cipher(secret, purpose).decrypt(nonce, encrypted, content_id.encode())
    except InvalidTag as error:
        raise Unsealable(f"{content_id} ({purpose}) cannot be read with this service secret") from error


def _cipher(secret: str, purpose: str) -> AESGCM:
    # The secret signs service tokens and links too; a derived key (RFC 5869) keeps the uses apart.
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode())
    return AESGCM(derived.derive(secret.encode()))
