"""Asking the gateway whose API key a caller showed, so that one key works at every service."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from cachetools import TTLCache

from tidings.client.http import RemoteProblem, RemoteUnavailable, ServiceHttp, open_session
from tidings.contracts.http import KeyCheck, KeyOwner
from tidings.kit.auth import KeyCheck as Check
from tidings.kit.auth import Principal
from tidings.kit.errors import Unavailable

REMEMBERED_SECONDS = 30


class RemoteKeys:
    """API keys, checked at the gateway and remembered for 30 s, which is how late a revocation may bite."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http
        self._known: TTLCache[str, Principal] = TTLCache(10_000, REMEMBERED_SECONDS)

    async def check(self, key: str) -> Principal | None:
        """The owner of a key; None when it is not known.

        Raises:
            Unavailable: the gateway does not answer, and the key was not seen lately.
        """
        if key in self._known:
            return self._known[key]
        try:
            answer = await self._http.call(
                "POST", "/internal/api-keys/check", body=KeyCheck(key=key), attempts=2
            )
        except RemoteProblem:
            return None
        except RemoteUnavailable as error:
            raise Unavailable(
                "API keys cannot be checked now: the gateway does not answer", code="keys_unavailable"
            ) from error
        owner = msgspec.json.decode(answer.body, type=KeyOwner)
        principal = Principal(owner=owner.owner, kind="api_key", scopes=frozenset(owner.scopes))
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
