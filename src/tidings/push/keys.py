"""VAPID keys (RFC 8292): how a push service recognises the sender of Web Push messages."""

import base64
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

SCALAR_BYTES = 32


@dataclass(frozen=True, slots=True)
class VapidKeys:
    """A pair of keys in base64url. Browsers get the public one as `applicationServerKey`."""

    public: str
    private: str

    def __repr__(self) -> str:
        """The private key stays out of logs."""
        return f"VapidKeys({self.public})"


def make_vapid_keys() -> VapidKeys:
    """A new pair. Whoever loses it loses every subscription that was made with it."""
    key = generate_private_key(SECP256R1())
    scalar = key.private_numbers().private_value.to_bytes(SCALAR_BYTES, "big")
    return VapidKeys(public=base64url(public_point(key.public_key())), private=base64url(scalar))


def read_private_key(text: str) -> EllipticCurvePrivateKey:
    """A private key in base64url, as `make_vapid_keys` and most Web Push tools write it, or in PEM.

    Raises:
        ValueError: it is neither, or of another curve than P-256.
    """
    if text.lstrip().startswith("-----BEGIN"):
        key = load_pem_private_key(text.encode(), password=None)
        if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
            raise ValueError("it is no key of the curve P-256")
        return key
    scalar = from_base64url(text.strip())
    if len(scalar) != SCALAR_BYTES:
        raise ValueError(f"it is neither PEM nor {SCALAR_BYTES} bytes in base64url")
    return derive_private_key(int.from_bytes(scalar, "big"), SECP256R1())


def public_point(key: EllipticCurvePublicKey) -> bytes:
    """A public key as Web Push writes it: 65 bytes, uncompressed."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def base64url(raw: bytes) -> str:
    """Base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """The bytes of base64url, with or without padding.

    Raises:
        ValueError: it is something else.
    """
    bare = text.rstrip("=")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars="-_", validate=True)
