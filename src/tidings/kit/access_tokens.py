"""Access tokens: short-lived JWTs that stand for an API key, checked with public keys alone (RFC 9068)."""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import monotonic

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tidings.kit.auth import Principal
from tidings.kit.batching import Batcher
from tidings.kit.errors import Unauthenticated, Unavailable

ALGORITHM = "EdDSA"
"""The only one: what the token's own header names is never trusted (RFC 8725, section 3.1)."""
ISSUER = "tidings/gateway"
AUDIENCE = "tidings"
LEEWAY_SECONDS = 10
FRESH_SECONDS = 300.0
"""How long a key that was withdrawn may go on being trusted."""
PAUSE_SECONDS = 1.0
"""Between two fetches, so that made-up key ids cost one question a second and no more."""
RETRY_SECONDS = 10.0

REQUIRED = ["iss", "aud", "sub", "iat", "exp", "jti", "scope"]

FetchKeys = Callable[[], Awaitable[Mapping[str, Ed25519PublicKey]]]


class KeyRing:
    """Public keys by id, kept for 5 minutes, and fetched at once when an id is not among them.

    When they cannot be fetched, those that are known stay good.
    """

    def __init__(self, fetch: FetchKeys, *, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._fetch = fetch
        self._fresh_seconds = fresh_seconds
        self._keys: Mapping[str, Ed25519PublicKey] = {}
        self._fresh_until = self._next_fetch = monotonic()
        self._look_ups: Batcher[str, Ed25519PublicKey | None] = Batcher(self._look_up, max_size=10_000)

    async def find(self, key_id: str) -> Ed25519PublicKey | None:
        """The key with this id; None when there is none.

        Raises:
            Unavailable: the id is not known, and the keys cannot be fetched now.
        """
        known = self._keys.get(key_id)
        if known is not None and monotonic() < self._fresh_until:
            return known
        try:
            return await self._look_ups.submit(key_id)
        except Unavailable:
            if known is None:
                raise
            self._fresh_until = monotonic() + RETRY_SECONDS
            return known

    async def _look_up(self, key_ids: list[str]) -> Sequence[Ed25519PublicKey | None]:
        await asyncio.sleep(self._next_fetch - monotonic())
        self._next_fetch = monotonic() + PAUSE_SECONDS
        self._keys = await self._fetch()
        self._fresh_until = monotonic() + self._fresh_seconds
        return [self._keys.get(key_id) for key_id in key_ids]


class AccessTokens:
    """Checks access tokens with the keys of a ring."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def check(self, token: str) -> Principal:
        """The API key that a token stands for, with the token's scopes.

        Raises:
            Unauthenticated: expired, changed, for another audience, or not signed with a key of ours.
            Unavailable: the keys cannot be fetched now.
        """
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            key = await self._ring.find(key_id) if isinstance(key_id, str) else None
            if key is None:
                raise _invalid("it names no signing key that is in use")
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=LEEWAY_SECONDS,
                options={"require": REQUIRED},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated(
                "The access token has expired; get another with POST /v1/tokens", code="expired_token"
            ) from error
        except jwt.InvalidTokenError as error:
            raise _invalid(str(error)) from error
        return Principal(
            owner=str(claims["sub"]),
            kind="access_token",
            scopes=frozenset(str(claims["scope"]).split()),
            sandbox=claims.get("sandbox") is True,
        )


def key_as_text(key: Ed25519PublicKey) -> str:
    """A public key as the member `x` of a JSON Web Key (RFC 8037, section 2)."""
    return urlsafe_b64encode(key.public_bytes_raw()).rstrip(b"=").decode("ascii")


def key_from_text(text: str) -> Ed25519PublicKey:
    """The public key in the member `x` of a JSON Web Key.

    Raises:
        ValueError: it is none.
    """
    return Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def _invalid(why: str) -> Unauthenticated:
    return Unauthenticated(f"The access token is not valid: {why}", code="invalid_token")
