"""Asking the gateway whose API key a caller showed, so that one key works at every service."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from cachetools import TTLCache

from tidings.client.http import RemoteProblem, RemoteUnavailable, ServiceHttp, open_session
from tidings.contracts.keys import KeyCheck, KeyOwner
from tidings.kit.auth import KeyCheck as Check
from tidings.kit.auth import Principal
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


@asynccontextmanager
async def open_key_check(
    gateway_url: str | None, credential: Callable[[], str]
) -> AsyncIterator[Check | None]:
    """What checks API keys at the gateway; None where no gateway is named."""
    if gateway_url is None:
        yield None
        return
    async with open_session() as session:
        yield RemoteKeys(ServiceHttp(session, gateway_url, credential)).check
