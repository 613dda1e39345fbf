"""A cache that is there, is not there, and comes back."""

from collections.abc import AsyncIterator, Iterator

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from redis.exceptions import RedisError

from support.polling import eventually
from support.ports import free_port
from support.servers import ValkeyNode
from tidings.kit.cache import Cache, open_redis


@pytest.fixture
async def redis(valkey_url: str) -> AsyncIterator[Redis]:
    """A client with patience: an answer that is slow is one as well."""
    async with open_redis(valkey_url) as redis:
        yield redis


@pytest.fixture
def node() -> Iterator[ValkeyNode]:
    node = ValkeyNode()
    yield node
    node.stop()


def errors(call: str) -> float:
    return REGISTRY.get_sample_value("tidings_cache_errors_total", {"call": call}) or 0.0


async def test_what_is_kept_is_found_and_what_is_deleted_is_not(redis: Redis) -> None:
    """Values come back as bytes in the order asked for, None for what is not there."""
    cache = Cache(redis, "found:")
    await cache.set_many({"a": b"1", "b": b"\x00\xff"}, seconds=60)
    assert await cache.get_many(["b", "missing", "a"]) == [b"\x00\xff", None, b"1"]
    await cache.delete("a", "missing")
    assert await cache.get_many(["a", "b"]) == [None, b"\x00\xff"]


async def test_prefixes_keep_services_apart(redis: Redis) -> None:
    """The same key of two services is two keys."""
    users, templates = Cache(redis, "users:"), Cache(redis, "templates:")
    await users.set_many({"7": b"Ada"}, seconds=60)
    assert await templates.get_many(["7"]) == [None]
    assert await redis.ttl("users:7") > 0


async def test_nothing_asked_is_nothing_done(redis: Redis) -> None:
    """Empty calls are allowed and answer empty."""
    cache = Cache(redis, "empty:")
    await cache.set_many({}, seconds=60)
    await cache.delete()
    assert await cache.get_many([]) == []


async def test_a_cache_that_is_down_answers_not_here_and_is_counted() -> None:
    """Without a server every call still returns, each one counted; only `ping` raises."""
    async with open_redis(f"redis://127.0.0.1:{free_port()}") as redis:
        cache = Cache(redis, "down:")
        before = [errors(call) for call in ("get", "set", "delete")]
        await cache.set_many({"a": b"1"}, seconds=60)
        assert await cache.get_many(["a", "b"]) == [None, None]
        await cache.delete("a")
        assert [errors(call) for call in ("get", "set", "delete")] == [count + 1 for count in before]
        with pytest.raises(RedisError):
            await cache.ping()


async def test_a_cache_that_comes_back_is_used_again(node: ValkeyNode) -> None:
    """A server that restarts under kept connections is found again without any help."""
    async with open_redis(node.url) as redis:
        cache = Cache(redis, "back:")
        await cache.set_many({"a": b"1"}, seconds=60)
        node.stop()
        assert await cache.get_many(["a"]) == [None]
        node.start()

        async def kept() -> bool:
            await cache.set_many({"a": b"2"}, seconds=60)
            return await cache.get_many(["a"]) == [b"2"]

        await eventually(kept)
