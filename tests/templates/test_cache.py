"""The cache makes reading faster and is never needed."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import msgspec
import pytest
from redis.asyncio import Redis

from support.servers import ValkeyNode, client_of
from tidings.kit.cache import open_redis
from tidings.templates.app import open_app
from tidings.templates.settings import TemplatesSettings

Body = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def own_valkey() -> Iterator[ValkeyNode]:
    """A Valkey server that these tests may stop."""
    node = ValkeyNode()
    yield node
    node.stop()


@pytest.fixture
async def redis(own_valkey: ValkeyNode) -> AsyncIterator[Redis]:
    """A connection to that server, to see what is kept there."""
    async with open_redis(own_valkey.url) as connection:
        yield connection


@pytest.fixture(scope="module")
async def templates(
    templates_settings: TemplatesSettings, own_valkey: ValkeyNode, service_token: Callable[..., str]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service on that server."""
    settings = msgspec.structs.replace(templates_settings, cache_url=own_valkey.url)
    async with open_app(settings) as app, client_of(app, service_token("templates")) as client:
        yield client


async def subject_of(templates: httpx.AsyncClient, path: str) -> str:
    answer = await templates.get(path)
    assert answer.status_code == 200, answer.text
    subject: str = answer.json()["forms"]["en"]["email"]["subject"]
    return subject


async def test_a_version_once_read_is_kept(
    templates: httpx.AsyncClient, template_id: str, redis: Redis
) -> None:
    """The same answer comes from the cache as from the database."""
    path, key = f"/templates/{template_id}/compiled?version=1", f"templates:compiled:{template_id}:1"
    assert await redis.get(key) is None
    first = (await templates.get(path)).json()
    assert await redis.exists(key)
    assert (await templates.get(path)).json() == first


async def test_a_version_is_good_for_ever(templates: httpx.AsyncClient, template_id: str) -> None:
    """Asked for by number it may be kept by anyone; which one is newest may change at any time."""
    path = f"/templates/{template_id}/compiled"
    numbered, newest = await templates.get(f"{path}?version=1"), await templates.get(path)
    assert "immutable" in numbered.headers["cache-control"]
    assert "cache-control" not in newest.headers
    assert numbered.json() == newest.json()


async def test_unreadable_entry_is_passed_over(
    templates: httpx.AsyncClient, template_id: str, redis: Redis
) -> None:
    """What another release left in the cache does no harm."""
    await redis.set(f"templates:compiled:{template_id}:1", b'{"id": 1}')
    assert await subject_of(templates, f"/templates/{template_id}/compiled?version=1") == "v1"


async def test_without_a_cache_everything_works(
    templates: httpx.AsyncClient, template_id: str, own_valkey: ValkeyNode, email: Body
) -> None:
    """With Redis down, templates are written, read and rendered as ever."""
    path = f"/templates/{template_id}"
    compiled = f"{path}/compiled"
    assert await subject_of(templates, f"{compiled}?version=1") == "v1"
    own_valkey.stop()
    try:
        assert (await templates.put(path, json=email("v2"))).json()["version"] == 2
        assert await subject_of(templates, compiled) == "v2"
        assert await subject_of(templates, f"{compiled}?version=1") == "v1"
        assert (await templates.post(f"{path}/render", json={"version": 1})).status_code == 200
    finally:
        own_valkey.start()
    assert await subject_of(templates, compiled) == "v2"


async def test_newest_version_is_never_stale(
    templates: httpx.AsyncClient, template_id: str, email: Body
) -> None:
    """A read that follows a write sees it, whatever was read before."""
    path = f"/templates/{template_id}"
    for number in range(2, 12):
        await templates.get(f"{path}/compiled")
        await templates.put(path, json=email(f"v{number}"))
        assert await subject_of(templates, f"{path}/compiled") == f"v{number}"
