"""Checking callers' credentials as the gateway does, so that one works at every service."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from cachetools import TTLCache
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tidings.client.http import RemoteProblem, RemoteUnavailable, ServiceHttp, open_session
from tidings.contracts.keys import KeyCheck, KeyOwner, VerificationKeys
from tidings.kit.access_tokens import AccessTokens, KeyRing, key_from_text
from tidings.kit.auth import KeyCheck as Check
from tidings.kit.auth import Principal, TokenCheck
from tidings.kit.errors import Unavailable

REMEMBERED_SECONDS = 30
UNKNOWN = frozenset({"unknown_api_key", "invalid_request"})


class RemoteKeys:
    """API keys, checked at the gateway and remembered for 30 s, on top of the 10 s that it remembers them."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http
        self._known: TTLCache[str, Principal] = TTLCache(10_000, REMEMBERED_SECONDS)

    async def check(self, key: str) -> Principal | None:
        """The owner of a key; None when it is not known.

        Raises:
            Unavailable: the gateway does not answer, or refuses us, and the key was not seen lately.
        """
        known = self._known.get(key)
        if known is not None:
            return known
        try:
            answer = await self._http.call(
                "POST", "/internal/api-keys/check", body=KeyCheck(key=key), attempts=2
            )
            owner = answer.read(KeyOwner)
        except RemoteProblem as refused:
            if refused.problem.code in UNKNOWN:
                return None
            raise Unavailable(
                f"API keys cannot be checked: the gateway refuses this service ({refused.problem.code}). "
                "Do both have the same TIDINGS_SERVICE_SECRET?",
                code="keys_unavailable",
            ) from refused
        except RemoteUnavailable as error:
            raise Unavailable(
                "API keys cannot be checked now: the gateway does not answer", code="keys_unavailable"
            ) from error
        principal = Principal(
            owner=owner.owner, kind="api_key", scopes=frozenset(owner.scopes), sandbox=owner.sandbox
        )
        self._known[key] = principal
        return principal


class RemoteSigningKeys:
    """The gateway's public keys, with which access tokens are checked without asking it."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def fetch(self) -> dict[str, Ed25519PublicKey]:
        """Every key whose tokens may live, by id.

        Raises:
            Unavailable: the gateway does not answer, or answers something else.
        """
        try:
            published = await self._http.read(VerificationKeys, "/.well-known/jwks.json")
            return {key.kid: key_from_text(key.x) for key in published.keys}
        except (RemoteProblem, RemoteUnavailable, ValueError) as error:
            raise Unavailable(
                "Access tokens cannot be checked now: the gateway does not give its public keys",
                code="keys_unavailable",
            ) from error


@dataclass(frozen=True, slots=True)
class CredentialChecks:
    """What a service checks callers' credentials with; None where it takes none of a kind."""

    key: Check | None = None
    access_token: TokenCheck | None = None


@asynccontextmanager
async def open_credential_checks(
    gateway_url: str | None, credential: Callable[[], str]
) -> AsyncIterator[CredentialChecks]:
    """What checks API keys and access tokens with the gateway's help; nothing where no gateway is named."""
    if gateway_url is None:
        yield CredentialChecks()
        return
    async with open_session() as session:
        http = ServiceHttp(session, gateway_url, credential)
        tokens = AccessTokens(KeyRing(RemoteSigningKeys(http).fetch))
        yield CredentialChecks(RemoteKeys(http).check, tokens.check)
