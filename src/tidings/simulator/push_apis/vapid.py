"""Who sends a Web Push message: the signed claims of RFC 8292, checked."""

import base64
import re
from datetime import timedelta

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from tidings.kit.ids import now

MAX_LIFETIME = timedelta(hours=24)
CLOCK_SKEW = timedelta(minutes=1)

_PARAMETER = re.compile(r"\s*([a-z]+)=([A-Za-z0-9_.=-]+)\s*")
_SUBJECT = re.compile(r"mailto:.+@.+|https://.+")


class Misidentified(Exception):
    """The sender did not identify itself as the standard asks."""


def check_vapid(authorization: str, origin: str) -> str:
    """The sender's public key in base64url, for a good `Authorization` header.

    Raises:
        Misidentified: with what is wrong.
    """
    scheme, _, rest = authorization.partition(" ")
    found = [_PARAMETER.fullmatch(part) for part in rest.split(",")]
    parameters = {each[1]: each[2] for each in found if each}
    if scheme.lower() != "vapid" or not {"t", "k"} <= set(parameters):
        raise Misidentified("Missing or malformed VAPID Authorization header")
    key = str(parameters["k"]).rstrip("=")
    try:
        point = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
        public_key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        claims = jwt.decode(
            parameters["t"],
            public_key,
            algorithms=["ES256"],
            audience=origin,
            options={"require": ["aud", "exp", "sub"]},
            leeway=CLOCK_SKEW,
        )
    except (ValueError, jwt.InvalidTokenError) as error:
        raise Misidentified(f"Invalid VAPID claims: {error}") from error
    if claims["exp"] > (now() + MAX_LIFETIME + CLOCK_SKEW).timestamp():
        raise Misidentified("Invalid VAPID claims: exp is more than 24 hours away")
    if not _SUBJECT.fullmatch(str(claims["sub"])):
        raise Misidentified("Invalid VAPID claims: sub is neither mailto: nor https:")
    return key
