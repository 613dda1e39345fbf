"""Client of the public API for those who hand out API keys."""

from collections.abc import AsyncIterator
from uuid import UUID

from tidings.client.http import ServiceHttp
from tidings.client.paging import each, query
from tidings.contracts.keys import ApiKey, ApiKeys, IssuedApiKey, KeyRotation, NewApiKey

PATH = "/v1/api-keys"
REPEATS = 3


class ApiKeysClient:
    """API keys. Every method may raise `RemoteProblem` and `RemoteUnavailable`."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def create(self, key: NewApiKey) -> IssuedApiKey:
        """Make a key. Its secret is in this answer and nowhere else."""
        return (await self._http.once("POST", PATH, body=key)).read(IssuedApiKey)

    async def read(self, key_id: UUID) -> ApiKey:
        """A key without its secret."""
        return await self._http.read(ApiKey, f"{PATH}/{key_id}")

    def find(self) -> AsyncIterator[ApiKey]:
        """All keys, newest first, also those that are revoked or have expired."""
        return each(self._http, ApiKeys, PATH, lambda page: page.api_keys)

    async def rotate(self, key_id: UUID, rotation: KeyRotation | None = None) -> IssuedApiKey:
        """Give a key another secret; the old one stays good for a day, or as long as `rotation` says."""
        answer = await self._http.once("POST", f"{PATH}/{key_id}/rotate", body=rotation or KeyRotation())
        return answer.read(IssuedApiKey)

    async def revoke(self, key_id: UUID, *, force: bool = False) -> None:
        """End a key; the last one that may make keys only with `force`. Twice is no error."""
        params = query(force=force)
        await self._http.call("DELETE", f"{PATH}/{key_id}", params=params, attempts=REPEATS)
