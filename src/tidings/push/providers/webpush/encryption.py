"""Message encryption for Web Push (RFC 8291): one aes128gcm record (RFC 8188) per message.

The standard asks for a new key pair per message, so its two operations on the curve are the floor of the
cost. The key derivation is written out on `hmac`, which costs a tenth of a general HKDF object.
"""

import hmac
import os
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tidings.push.keys import from_base64url, public_point

RECORD_SIZE = 4096
"""What every push service has to take (RFC 8030, 7.2), with header and tag."""
SALT_BYTES = 16
SECRET_BYTES = 16
POINT_BYTES = 65
HEADER_BYTES = SALT_BYTES + 4 + 1 + POINT_BYTES
TAG_BYTES = 16
MAX_PLAINTEXT_BYTES = RECORD_SIZE - HEADER_BYTES - TAG_BYTES - 1
"""3,993: what is left in a body of 4,096 bytes after header, tag and the delimiter."""

_CURVE = SECP256R1()
_LAST_RECORD = b"\x02"
_SIZES = RECORD_SIZE.to_bytes(4, "big") + bytes((POINT_BYTES,))


@dataclass(frozen=True, slots=True)
class Receiver:
    """A subscription's public key, the same as 65 bytes, and its authentication secret."""

    public_key: EllipticCurvePublicKey
    point: bytes
    secret: bytes


def read_receiver(p256dh: str, auth: str) -> Receiver:
    """A subscription's keys, as a browser gives them.

    Raises:
        ValueError: they are no such keys.
    """
    secret = from_base64url(auth)
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"its authentication secret has {len(secret)} bytes in place of {SECRET_BYTES}")
    point = from_base64url(p256dh)
    return Receiver(EllipticCurvePublicKey.from_encoded_point(_CURVE, point), point, secret)


def encrypt(plaintext: bytes, receiver: Receiver) -> bytes:
    """The body of a push request: the header with our public key, and the one record.

    Raises:
        ValueError: the plaintext has more than 3,993 bytes.
    """
    return encrypt_with(plaintext, receiver, generate_private_key(_CURVE), os.urandom(SALT_BYTES))


def encrypt_with(
    plaintext: bytes, receiver: Receiver, ephemeral: EllipticCurvePrivateKey, salt: bytes
) -> bytes:
    """As `encrypt`, with key and salt given: for the standard's own example. Never use either twice.

    Raises:
        ValueError: as for `encrypt`.
    """
    if len(plaintext) > MAX_PLAINTEXT_BYTES:
        raise ValueError(f"{len(plaintext)} bytes do not fit into one record of {RECORD_SIZE}")
    ours = public_point(ephemeral.public_key())
    shared = ephemeral.exchange(ECDH(), receiver.public_key)
    agreed = _expanded(_extracted(receiver.secret, shared), b"WebPush: info\0" + receiver.point + ours)
    key = _extracted(salt, agreed)
    content_key = _expanded(key, b"Content-Encoding: aes128gcm\0")[:16]
    nonce = _expanded(key, b"Content-Encoding: nonce\0")[:12]
    record = AESGCM(content_key).encrypt(nonce, plaintext + _LAST_RECORD, None)
    return b"".join((salt, _SIZES, ours, record))


def _extracted(salt: bytes, secret: bytes) -> bytes:
    """The first half of HKDF-SHA-256 (RFC 5869, 2.2)."""
    return hmac.digest(salt, secret, "sha256")


def _expanded(key: bytes, info: bytes) -> bytes:
    """The second half (RFC 5869, 2.3), whose first round gives 32 bytes: all that is wanted here."""
    return hmac.digest(key, info + b"\x01", "sha256")
