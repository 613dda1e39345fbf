"""Voluntary application server identification (RFC 8292): one signed header per push service, reused."""

from datetime import timedelta
from urllib.parse import urlsplit

import jwt
from cachetools import TTLCache
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from yarl import URL

from tidings.kit.ids import now
from tidings.push.keys import base64url, public_point

LIFETIME = timedelta(hours=12)
"""The standard allows 24 hours; half of it bears a clock that is wrong by hours."""
RENEW_AHEAD = timedelta(hours=1)
MAX_AUDIENCES = 1_000


class Vapid:
    """Signs for each push service once in eleven hours. Push services take a header any number of times."""

    def __init__(self, key: EllipticCurvePrivateKey, subject: str) -> None:
        self.public_key = base64url(public_point(key.public_key()))
        self._key = key
        self._subject = subject
        # Endpoints are user input: as many origins as anybody makes up must not fill the memory.
        seconds = (LIFETIME - RENEW_AHEAD).total_seconds()
        self._headers: TTLCache[str, str] = TTLCache(MAX_AUDIENCES, seconds)

    def header(self, endpoint: str) -> str:
        """The value of `Authorization` for a request to this endpoint.

        Raises:
            ValueError: it is no URL with a host.
        """
        parts = urlsplit(endpoint)
        place = f"{parts.scheme}://{parts.netloc}"
        known = self._headers.get(place)
        if known is None:
            known = self._headers[place] = self._sign(str(URL(place).origin()))
        return known

    def _sign(self, audience: str) -> str:
        claims = {"aud": audience, "exp": now() + LIFETIME, "sub": self._subject}
        return f"vapid t={jwt.encode(claims, self._key, algorithm='ES256')}, k={self.public_key}"
