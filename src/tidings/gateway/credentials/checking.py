"""Checking API keys, and access tokens that stand for one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from uuid import UUID

import structlog
from cachetools import TTLCache

from tidings.gateway.credentials.secrets import digest_of, secret_of
from tidings.gateway.credentials.store import Holder, KeyStore
from tidings.kit.access_tokens import AccessTokens
from tidings.kit.auth import Principal
from tidings.kit.batching import Batcher
from tidings.kit.errors import Unauthenticated, Unavailable
from tidings.kit.ids import new_id, now
from tidings.kit.repeating import repeat

REMEMBERED_SECONDS = 10
USES_SECONDS = 60.0

log = structlog.get_logger(__name__)


class ApiKeys:
    """Checks keys. A key is remembered for 10 s, which is how late a revocation may bite.

    Concurrent checks share one query: a burst must not take every database connection.
    """

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._by_digest: TTLCache[bytes, Holder] = TTLCache(10_000, REMEMBERED_SECONDS)
        self._by_id: TTLCache[UUID, Holder] = TTLCache(10_000, REMEMBERED_SECONDS)
        self._digests: Batcher[bytes, Holder | None] = Batcher(self._look_up)
        self._ids: Batcher[UUID, Holder | None] = Batcher(self._look_up_ids)
        self._uses: dict[UUID, datetime] = {}

    async def check(self, key: str) -> Principal | None:
        """Whose key it is; None when it is unknown, revoked or expired.

        Raises:
            Unavailable: the database does not answer, and the key was not seen lately.
        """
        digest = digest_of(key)
        holder = self._by_digest.get(digest)
        if holder is None:
            holder = await self._digests.submit(digest)
            if holder is None:
                return None
            self._by_digest[digest] = holder
        return self._used(holder)

    async def holder(self, key_id: UUID) -> Holder | None:
        """The key with this id; None when it is unknown, revoked or expired.

        Raises:
            Unavailable: as for `check`.
        """
        holder = self._by_id.get(key_id)
        if holder is None:
            holder = await self._ids.submit(key_id)
            if holder is None:
                return None
            self._by_id[key_id] = holder
        return None if self._used(holder) is None else holder

    async def bootstrap(self, key: str) -> None:
        """Make a first key known, with every scope; its prefix says whether it is a test key."""
        await self._store.add_first(new_id(), secret_of(key))

    def forget(self) -> None:
        """Remember nothing: what was changed here must hold here at once."""
        self._by_digest.clear()
        self._by_id.clear()

    async def store_uses(self) -> None:
        """Write down when keys were last used; what cannot be written now is kept for the next time."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            await self._store.note_uses(uses)
        except Unavailable:
            log.warning("key_uses_not_stored", keys=len(uses))
            self._uses = uses | self._uses

    def _used(self, holder: Holder) -> Principal | None:
        moment = now()
        if holder.ends_at is not None and holder.ends_at <= moment:
            return None
        self._uses[holder.id] = moment
        return Principal(owner=str(holder.id), kind="api_key", scopes=holder.scopes, sandbox=holder.sandbox)

    async def _look_up(self, digests: list[bytes]) -> Sequence[Holder | None]:
        found = await self._store.holders(digests)
        return [found.get(digest) for digest in digests]

    async def _look_up_ids(self, ids: list[UUID]) -> Sequence[Holder | None]:
        found = await self._store.holders_by_id(ids)
        return [found.get(key_id) for key_id in ids]


@asynccontextmanager
async def storing_uses(api_keys: ApiKeys) -> AsyncIterator[None]:
    """Write down once a minute, and at the end, when keys were last used."""
    storing = repeat(api_keys.store_uses, seconds=USES_SECONDS, failed="key_uses_not_stored")
    task = asyncio.create_task(storing)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await api_keys.store_uses()


class LivingTokens:
    """Checks access tokens and that the key behind each still lives."""

    def __init__(self, tokens: AccessTokens, api_keys: ApiKeys) -> None:
        self._tokens = tokens
        self._api_keys = api_keys

    async def check(self, token: str) -> Principal:
        """The caller.

        Raises:
            Unauthenticated: the token is not valid, or its key was revoked (10 s ago or more) or expired.
            Unavailable: the database does not answer.
        """
        principal = await self._tokens.check(token)
        if await self._api_keys.holder(UUID(principal.owner)) is None:
            raise Unauthenticated(
                "The API key behind this access token was revoked, or has expired", code="invalid_token"
            )
        return principal
