"""Asking the gateway whose API key a caller showed, so that one key works at every service."""

import msgspec
from cachetools import TTLCache

from tidings.client.http import RemoteProblem, RemoteUnavailable, ServiceHttp
from tidings.contracts.http import KeyCheck, KeyOwner
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
