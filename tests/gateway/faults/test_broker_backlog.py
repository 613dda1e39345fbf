"""A broker that is away while very much is accepted."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from gateway.conftest import NewBody
from gateway.faults.conftest import Running, StartGateway, at_full_size
from gateway.queues import taking
from support.polling import eventually
from support.rabbitmq import RabbitNode
from support.servers import create_database, provision

MANY = at_full_size(200_000, usually=5_000)
A_BATCH = 1_000
CALLERS = 4
LIMIT = at_full_size(1_200, usually=600)

# What the gateway is at work on is left to it: waiting for one another could be a deadlock.
MAKE_DUE = """
update notifications set dispatch_at = now()
where id in (select id from notifications where dispatch_at is not null for update skip locked)
"""


@pytest.fixture
async def own_database(postgres_admin_url: str) -> str:
    """A database that no other gateway sweeps."""
    return await create_database(postgres_admin_url)


@pytest.fixture
async def gateway(
    start_gateway: StartGateway, own_database: str, stopped_rabbit: RabbitNode
) -> AsyncIterator[Running]:
    """A gateway that has not met its broker yet."""
    url = await provision(own_database, "gateway")
    async with start_gateway(database_url=url, broker_url=stopped_rabbit.url) as gateway:
        yield gateway


async def accept_all(gateway: Running, new_body: NewBody) -> set[str]:
    """Hand in `MANY`, in batches; returns their ids."""
    slots = asyncio.Semaphore(CALLERS)

    async def accept_batch() -> list[str]:
        batch = {"notifications": [new_body() for _ in range(A_BATCH)]}
        async with slots:
            while problems_in(items := await answers_to(batch)):
                assert problems_in(items) == {"database_unavailable"}  # which a caller repeats
        return [item["id"] for item in items]

    async def answers_to(batch: dict[str, Any]) -> list[dict[str, Any]]:
        answer = await gateway.http.post("/v1/notifications/batch", json=batch)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    batches = await asyncio.gather(*(accept_batch() for _ in range(MANY // A_BATCH)))
    return {one for batch in batches for one in batch}


def problems_in(items: list[dict[str, Any]]) -> set[str]:
    return {item["problem"]["code"] for item in items if "problem" in item}


@pytest.mark.rabbitmq
@pytest.mark.timeout(LIMIT)
async def test_accepted_without_a_broker(
    gateway: Running, new_body: NewBody, own_database: str, stopped_rabbit: RabbitNode
) -> None:
    """All that was accepted while RabbitMQ was away is in its queue once it is back, and once only."""
    accepted = await accept_all(gateway, new_body)
    assert len(accepted) == MANY
    await asyncio.to_thread(stopped_rabbit.start)
    admin = await asyncpg.connect(own_database, server_settings={"search_path": "gateway"})
    try:
        async with taking(stopped_rabbit.url, "email.queue") as taken:
            await admin.execute(MAKE_DUE)
            await eventually(lambda: all_have_left(admin), within=LIMIT)
            await eventually(lambda: len(taken.deliveries) >= MANY, within=LIMIT)
            assert taken.ids.keys() == accepted
            assert taken.ids.total() == MANY
    finally:
        await admin.close()


async def all_have_left(admin: asyncpg.Connection) -> bool:
    """Whether the broker has confirmed each."""
    return not await admin.fetchval("select exists (select from notifications where dispatch_at is not null)")
