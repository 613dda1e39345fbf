"""Looking up contacts: from Redis where it knows them, the rest in one statement from PostgreSQL."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from uuid import UUID

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tidings.contracts.users import Category, Contact
from tidings.kit.cache import CACHE_ERRORS
from tidings.users.contacts.store import ContactStore

CONTACT_SECONDS = 60
"""How long a contact is kept."""
BARRED_SECONDS = 30
"""How long a changed contact may not be kept: longer than any read that began before the change."""
CATEGORIES_SECONDS = 1.0
"""How long this process goes on with the categories it knows."""
REST_SECONDS = 1.0
"""How long Redis is left alone after it failed to answer, so that not every look-up waits for it."""

_BARRED = b""
# One command: a pipeline of 500 costs this process more than the rest of the look-up.
_KEEP = """
    for number, key in ipairs(KEYS) do
        redis.call('set', key, ARGV[number], 'ex', ARGV[#KEYS + 1], 'nx')
    end
"""

log = structlog.get_logger(__name__)


class KnownCategories:
    """All categories, read again when they are a second old: they travel with every look-up."""

    def __init__(self, load: Callable[[], Awaitable[dict[str, Category]]]) -> None:
        self._load = load
        self._known: dict[str, Category] = {}
        self._known_until = 0.0

    async def all(self) -> dict[str, Category]:
        """Every category by id."""
        asked_at = monotonic()
        if asked_at >= self._known_until:
            self._known, self._known_until = await self._load(), asked_at + CATEGORIES_SECONDS
        return self._known


class ContactCache:
    """Contacts in Redis: faster when it is there, never behind the database.

    A look-up that read the rows before a change might keep them after the change. So `forget`
    does not delete: it bars the key for a while, and `keep` writes only where nothing is.

    When a key cannot be barred, what Redis holds of it may be old: this process then does without
    Redis until that has expired. (Another process that still reaches the same Redis may read the
    old contact for `CONTACT_SECONDS` at most.)
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._resting_until = 0.0

    async def read(self, user_ids: Collection[UUID]) -> dict[UUID, Contact]:
        """The contacts that are kept; none when Redis does not answer."""
        values: Iterable[object] = ()
        if user_ids and not self._resting:
            with self._doing_without("read", rest=REST_SECONDS):
                values = await self._redis.mget([_key(user_id) for user_id in user_ids])
        pairs = zip(user_ids, values, strict=False)
        return {user_id: contact for user_id, value in pairs if (contact := _decode(value))}

    async def keep(self, contacts: Mapping[UUID, Contact]) -> None:
        """Keep contacts just read from the database, except those that changed meanwhile."""
        if not contacts or self._resting:
            return
        with self._doing_without("keep", rest=REST_SECONDS):
            keys = [_key(user_id) for user_id in contacts]
            values = [msgspec.msgpack.encode(contact) for contact in contacts.values()]
            await self._redis.eval(_KEEP, len(keys), *keys, *values, CONTACT_SECONDS)

    async def forget(self, user_ids: Collection[UUID]) -> None:
        """Bar contacts that are about to change. Call it before the change is committed."""
        with self._doing_without("forget", rest=CONTACT_SECONDS + BARRED_SECONDS):
            async with self._redis.pipeline(transaction=False) as pipe:
                for user_id in user_ids:
                    pipe.set(_key(user_id), _BARRED, ex=BARRED_SECONDS)
                await pipe.execute()

    @property
    def _resting(self) -> bool:
        return monotonic() < self._resting_until

    @contextmanager
    def _doing_without(self, call: str, *, rest: float) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError, TimeoutError) as error:
            self._resting_until = max(self._resting_until, monotonic() + rest)
            CACHE_ERRORS.labels(call).inc()
            log.warning("cache_unavailable", call=call, seconds_without=rest, error=repr(error))


class ContactFinder:
    """Contacts from the cache, and those it does not have from the database."""

    def __init__(self, cache: ContactCache, store: ContactStore) -> None:
        self._cache = cache
        self._store = store

    async def find(self, user_ids: Collection[UUID]) -> dict[UUID, Contact]:
        """The contacts of those users that exist and are not erased."""
        found = await self._cache.read(user_ids)
        missing = [user_id for user_id in user_ids if user_id not in found]
        if missing:
            fresh = await self._store.contacts(missing)
            await self._cache.keep(fresh)
            found |= fresh
        return found


def _key(user_id: UUID) -> str:
    return f"users:contact:{user_id}"


def _decode(value: object) -> Contact | None:
    if not isinstance(value, bytes) or value == _BARRED:
        return None
    try:
        return msgspec.msgpack.decode(value, type=Contact)
    except msgspec.DecodeError:  # a newer version of this service wrote it
        return None
