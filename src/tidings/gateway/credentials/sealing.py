"""Private keys at rest: encrypted with AES-256-GCM under a key derived from the service secret."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES = 12


class Unsealable(ValueError):
    """It was sealed with another service secret, under another id, or changed since."""


def seal(secret: str, key_id: str, content: bytes) -> bytes:
    """`content` so that only who knows the service secret can read it, and only under this id."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + _cipher(secret).encrypt(nonce, content, key_id.encode())


def unseal(secret: str, key_id: str, sealed: bytes) -> bytes:
    """What was sealed.

    Raises:
        Unsealable: with another secret, under another id, or changed since.
    """
    nonce, encrypted = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return _cipher(secret).decrypt(nonce, encrypted, key_id.encode())
    except InvalidTag as error:
        raise Unsealable(f"The signing key {key_id} cannot be read with this service secret") from error


def _cipher(secret: str) -> AESGCM:
    # The secret signs service tokens and links too; a derived key (RFC 5869) keeps the uses apart.
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"tidings signing keys")
    return AESGCM(derived.derive(secret.encode()))
