"""Redis or Valkey as a cache: faster when it is there, never wrong when it is not."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import structlog
from prometheus_client import Counter
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

CACHE_ERRORS = Counter(
    "tidings_cache_errors_total", "Cache calls that failed and were done without", ["call"]
)

log = structlog.get_logger(__name__)


class Cache:
    """Keys of one service. A cache that cannot be reached answers "not here"; it is counted and logged."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values in the order of `keys`, None for what is not there."""
        if not keys:
            return []
        try:
            found = await self._redis.mget([self._prefix + key for key in keys])
        except (RedisError, OSError, TimeoutError) as error:
            _count("get", error)
            return [None] * len(keys)
        return [value if isinstance(value, bytes) else None for value in found]

    async def set_many(self, values: Mapping[str, bytes], *, seconds: int) -> None:
        """Keep values for a time."""
        if not values:
            return
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for key, value in values.items():
                    pipe.set(self._prefix + key, value, ex=seconds)
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            _count("set", error)

    async def delete(self, *keys: str) -> None:
        """Forget keys."""
        try:
            await self._redis.delete(*(self._prefix + key for key in keys))
        except (RedisError, OSError, TimeoutError) as error:
            _count("delete", error)

    async def ping(self) -> None:
        """Raise unless the server answers."""
        await self._redis.ping()


@asynccontextmanager
async def open_redis(url: str, *, seconds: float = 0.5) -> AsyncIterator[Redis]:
    """A client with short time limits: what cannot be had in so many `seconds` is done without.

    The URL may name others: `timeout` to wait for a connection, `socket_connect_timeout` to make one and
    `socket_timeout` for an answer, in seconds.
    A burst of more than 50 calls waits for a free connection; it is no outage.
    """
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
        url, max_connections=50, timeout=seconds, socket_timeout=seconds, socket_connect_timeout=seconds
    )
    redis: Redis = Redis.from_pool(pool)
    try:
        yield redis
    finally:
        await redis.aclose()


def _count(call: str, error: Exception) -> None:
    CACHE_ERRORS.labels(call).inc()
    log.warning("cache_unavailable", call=call, error=repr(error))
