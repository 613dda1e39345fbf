"""Looking up contacts: from Redis where it knows them, the rest in one statement from PostgreSQL."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from uuid import UUID

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tidings.contracts.http import Contact
from tidings.kit.cache import CACHE_ERRORS
from tidings.users.store import UserStore

CONTACT_SECONDS = 60
"""How long a contact is kept."""
BARRED_SECONDS = 30
"""How long a changed contact may not be kept: longer than any read that began before the change."""
REST_SECONDS = 1.0
"""How long Redis is left alone after it failed to answer, so that not every look-up waits for it."""

_BARRED = b""

log = structlog.get_logger(__name__)


async def find_contacts(
    user_ids: Collection[UUID], *, cache: "ContactCache", store: UserStore
) -> dict[UUID, Contact]:
    """The contacts of those users that exist."""
    found = await cache.read(user_ids)
    missing = [user_id for user_id in user_ids if user_id not in found]
    if missing:
        fresh = await store.contacts(missing)
        await cache.keep(fresh)
        found |= fresh
    return found


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
            async with self._redis.pipeline(transaction=False) as pipe:
                for user_id, contact in contacts.items():
                    pipe.set(_key(user_id), msgspec.msgpack.encode(contact), ex=CONTACT_SECONDS, nx=True)
                await pipe.execute()

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


def _key(user_id: UUID) -> str:
    return f"users:contact:{user_id}"


def _decode(value: object) -> Contact | None:
    if not isinstance(value, bytes) or value == _BARRED:
        return None
    try:
        return msgspec.msgpack.decode(value, type=Contact)
    except msgspec.DecodeError:  # a newer version of this service wrote it
        return None
