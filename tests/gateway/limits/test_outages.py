"""Limits while Redis is away: they refuse nothing, hold nothing up, and come back."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client import REGISTRY

from gateway.conftest import NewBody
from gateway.limits.conftest import OpenCaller
from support.polling import eventually
from support.ports import free_port
from support.servers import ValkeyNode


@pytest.fixture
def node() -> Iterator[ValkeyNode]:
    node = ValkeyNode()
    yield node
    node.stop()


def unchecked() -> float:
    return REGISTRY.get_sample_value("tidings_limits_unchecked_total") or 0.0


async def test_without_redis_everything_is_let_through(
    open_caller: OpenCaller, new_body: NewBody, node: ValkeyNode
) -> None:
    """While Redis is away nothing is refused, and each request let through is counted; then limits hold."""
    async with open_caller(cache_url=node.url, limit_notifications_per_minute=1) as caller:

        async def send() -> httpx.Response:
            return await caller.post("/v1/notifications", json=new_body())

        assert [(await send()).status_code for _ in range(2)] == [202, 429]
        before = unchecked()
        node.stop()
        answers = await asyncio.gather(*(send() for _ in range(50)))
        assert {answer.status_code for answer in answers} == {202}
        assert not any("RateLimit" in answer.headers for answer in answers)
        assert unchecked() == before + 50
        assert (await caller.get("/v1/limits")).json()["enforced"] is False

        async def is_warned() -> bool:  # PostgreSQL has two seconds to answer
            ready = await caller.get("/health/ready")
            return (ready.status_code, ready.json()["checks"]["redis"]["status"]) == (200, "warn")

        await eventually(is_warned)

        node.start()

        async def limited() -> bool:
            return (await send()).status_code == 429

        await eventually(limited)


async def test_a_redis_that_hangs_is_not_waited_for(open_caller: OpenCaller, new_body: NewBody) -> None:
    """A Redis that takes connections and says nothing is passed over, and left alone for a while."""
    connections = 0

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read()
        writer.close()

    port = free_port()
    server = await asyncio.start_server(say_nothing, "127.0.0.1", port)
    before = unchecked()
    async with open_caller(cache_url=f"redis://127.0.0.1:{port}", limit_patience=0.05) as caller:
        answers = await asyncio.gather(
            *(caller.post("/v1/notifications", json=new_body()) for _ in range(200))
        )
    server.close()
    await server.wait_closed()
    assert {answer.status_code for answer in answers} == {202}
    assert unchecked() == before + 200
    assert 1 <= connections < 200
