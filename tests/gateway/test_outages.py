"""The gateway while PostgreSQL or the broker is away: nothing is lost, nothing is half taken."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import httpx
import pytest

from gateway.conftest import NewBody, OpenGateway
from gateway.queues import taking
from support.polling import eventually
from support.ports import free_port
from support.postgres import PostgresNode
from support.rabbitmq import RabbitNode, rabbitmq_is_installed
from support.servers import PATIENCE, create_database, provision
from support.world import World

ANSWER_SECONDS = 2 * PATIENCE  # above the limits of the gateway, to tell an answer from none


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresNode]:
    """A PostgreSQL server that these tests may stop."""
    node = PostgresNode()
    node.start()
    yield node
    node.remove()


@pytest.fixture(scope="module")
async def on_own_postgres(
    own_postgres: PostgresNode, open_gateway: OpenGateway
) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway on that server."""
    url = await provision(own_postgres.admin_dsn, "gateway")
    async with open_gateway(database_url=url) as gateway:
        yield gateway


@pytest.fixture
async def own_database(own_postgres: PostgresNode) -> str:
    """A database that no other gateway sweeps."""
    return await create_database(own_postgres.admin_dsn)


@pytest.fixture(params=[pytest.param("rabbit", marks=pytest.mark.rabbitmq), "postgres"])
async def stopped_broker(
    request: pytest.FixtureRequest,
) -> AsyncIterator[tuple[str, RabbitNode | PostgresNode]]:
    """A broker's URL, and its server, which does not run."""
    if request.param == "postgres":
        postgres = PostgresNode()
        postgres.start()
        url = await provision(postgres.admin_dsn, "broker")
        postgres.stop()
        yield url, postgres
        postgres.remove()
        return
    if not rabbitmq_is_installed():
        (pytest.fail if "CI" in os.environ else pytest.skip)("RabbitMQ is not installed")
    rabbit = RabbitNode()
    yield rabbit.url, rabbit
    rabbit.remove()


async def stored(node: PostgresNode) -> dict[UUID, int]:
    """Each notification there is, with how many keys lead to it."""
    connection = await asyncpg.connect(node.admin_dsn)
    rows = await connection.fetch(
        """
        select coalesce(n.id, k.notification_id) as id, count(n.id) + count(k.key) - 1 as keys
        from gateway.notifications n full join gateway.idempotency_keys k on k.notification_id = n.id
        group by 1
        """
    )
    await connection.close()
    return {row["id"]: row["keys"] for row in rows}


@asynccontextmanager
async def schema_of(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser in the gateway's schema of a database."""
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "gateway"})
    yield connection
    await connection.close()


async def is_ready(gateway: httpx.AsyncClient) -> bool:
    """Whether it has found PostgreSQL again: right after a start, one connection may take too long."""
    return (await gateway.get("/health/ready")).status_code == 200


async def make_due(admin: asyncpg.Connection) -> None:
    """Let the time pass that the fast path has before the sweeper comes; what is leased stays so."""
    await admin.execute(
        "update notifications set dispatch_at = now() where dispatch_at <= accepted_at + interval '10 s'"
    )


async def none_is_due(admin: asyncpg.Connection) -> bool:
    """Whether the broker has confirmed every notification that was to leave at once."""
    return not await admin.fetchval(
        "select count(*) from notifications where dispatch_at is not null and status = 'accepted'"
    )


async def test_without_postgresql_nothing_is_taken(
    on_own_postgres: httpx.AsyncClient, own_postgres: PostgresNode, new_body: NewBody
) -> None:
    """While PostgreSQL is away every request is a 503 with Retry-After; afterwards the same one is taken."""
    first = await on_own_postgres.post("/v1/notifications", json=new_body())
    before = await stored(own_postgres)
    body = new_body()
    own_postgres.stop()
    async with asyncio.timeout(ANSWER_SECONDS):
        answers = [
            await on_own_postgres.post("/v1/notifications", json=body),
            await on_own_postgres.get(first.headers["Location"]),
            await on_own_postgres.get("/v1/notifications"),
            await on_own_postgres.post(
                "/v1/notifications/batch?dry_run=true", json={"notifications": [body] * 20}
            ),
        ]
        ready = await on_own_postgres.get("/health/ready")
    own_postgres.start()
    await eventually(lambda: is_ready(on_own_postgres))

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {
        (503, "database_unavailable")
    }
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
    assert (ready.status_code, ready.json()["checks"]["postgresql"]["status"]) == (503, "fail")
    assert await stored(own_postgres) == before
    again = await on_own_postgres.post("/v1/notifications", json=body)
    assert again.status_code == 202
    assert "Idempotent-Replayed" not in again.headers


async def test_what_was_answered_outlives_a_power_cut(
    on_own_postgres: httpx.AsyncClient, own_postgres: PostgresNode, new_body: NewBody
) -> None:
    """PostgreSQL is killed under load: each 202 is there afterwards, with its key; a 503 can be repeated."""
    bodies = [new_body() for _ in range(200)]
    tasks = [asyncio.create_task(on_own_postgres.post("/v1/notifications", json=body)) for body in bodies]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    own_postgres.kill()
    async with asyncio.timeout(ANSWER_SECONDS):
        answers = await asyncio.gather(*tasks)
    own_postgres.start()
    await eventually(lambda: is_ready(on_own_postgres))

    taken = {UUID(answer.json()["id"]) for answer in answers if answer.status_code == 202}
    assert {answer.status_code for answer in answers} <= {202, 503}
    kept = await stored(own_postgres)
    assert taken <= kept.keys()
    assert set(kept.values()) == {1}
    for body, answer in zip(bodies, answers, strict=True):
        again = await on_own_postgres.post("/v1/notifications", json=body)
        assert again.status_code == 202
        assert answer.status_code == 503 or again.json() == answer.json()


async def test_without_postgresql_no_batch_is_taken(
    on_own_postgres: httpx.AsyncClient, own_postgres: PostgresNode, new_body: NewBody
) -> None:
    """While PostgreSQL is away a batch is a 503 as a whole; afterwards the same one is taken."""
    before = await stored(own_postgres)
    batch = {"notifications": [new_body() for _ in range(600)] + [new_body(variables={})]}
    own_postgres.stop()
    async with asyncio.timeout(ANSWER_SECONDS):
        answer = await on_own_postgres.post("/v1/notifications/batch", json=batch)
    own_postgres.start()
    await eventually(lambda: is_ready(on_own_postgres))

    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert await stored(own_postgres) == before
    again = (await on_own_postgres.post("/v1/notifications/batch", json=batch)).json()
    assert (again["accepted"], again["refused"]) == (600, 1)
    assert not any("replayed" in item for item in again["items"])


async def test_what_was_told_of_a_batch_outlives_a_power_cut(
    on_own_postgres: httpx.AsyncClient, own_postgres: PostgresNode, new_body: NewBody
) -> None:
    """PostgreSQL is killed under batches: each id that was told is there, and a repeat takes the rest."""
    batches = [{"notifications": [new_body() for _ in range(250)]} for _ in range(8)]
    tasks = [
        asyncio.create_task(on_own_postgres.post("/v1/notifications/batch", json=batch)) for batch in batches
    ]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    own_postgres.kill()
    async with asyncio.timeout(ANSWER_SECONDS):
        answers = await asyncio.gather(*tasks)
    own_postgres.start()
    await eventually(lambda: is_ready(on_own_postgres))

    kept = await stored(own_postgres)
    assert set(kept.values()) == {1}
    for batch, answer in zip(batches, answers, strict=True):
        assert answer.status_code in {202, 503}
        told = answer.json()["items"] if answer.status_code == 202 else []
        problems = [item["problem"] for item in told if "problem" in item]
        assert {(one["status"], one["code"]) for one in problems} <= {(503, "database_unavailable")}
        assert {UUID(item["id"]) for item in told if "id" in item} <= kept.keys()
        again = (await on_own_postgres.post("/v1/notifications/batch", json=batch)).json()
        assert again["accepted"] == 250
        for item in told:
            assert "problem" in item or again["items"][item["index"]]["id"] == item["id"]


async def test_a_postgresql_that_hangs(
    own_postgres: PostgresNode, own_database: str, open_gateway: OpenGateway, new_body: NewBody
) -> None:
    """A PostgreSQL that takes connections and does not answer is a 503 too, and is found again."""
    url = await provision(own_database, "gateway")
    # Long enough for a start on a slow machine, and shorter than the hang.
    async with open_gateway(database_url=url, database_seconds=5) as gateway:

        async def taken() -> bool:
            return (await gateway.post("/v1/notifications", json=new_body())).status_code == 202

        await eventually(taken)
        own_postgres.pause()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answers = await asyncio.gather(
                    *(gateway.post("/v1/notifications", json=new_body()) for _ in range(5))
                )
        finally:
            own_postgres.resume()
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {
            (503, "database_unavailable")
        }
        await eventually(taken)


async def test_without_a_broker_all_is_taken_and_goes_out_later(
    open_gateway: OpenGateway,
    new_body: NewBody,
    own_database: str,
    stopped_broker: tuple[str, RabbitNode | PostgresNode],
) -> None:
    """While the broker is away notifications are accepted; when it is back, the sweeper publishes each."""
    broker_url, node = stopped_broker
    database_url = await provision(own_database, "gateway")
    async with open_gateway(database_url=database_url, broker_url=broker_url) as gateway:
        bodies = [new_body() for _ in range(20)]
        answers = await asyncio.gather(*(gateway.post("/v1/notifications", json=body) for body in bodies))
        assert {answer.status_code for answer in answers} == {202}

        async def is_well_without() -> bool:
            ready = await gateway.get("/health/ready")
            return (ready.status_code, ready.json()["checks"]["broker"]["status"]) == (200, "warn")

        await eventually(is_well_without)  # PostgreSQL has two seconds to answer a check

        await asyncio.to_thread(node.start)
        async with schema_of(own_database) as admin, taking(broker_url, "email.queue") as taken:
            await make_due(admin)
            await eventually(lambda: {answer.json()["id"] for answer in answers} == set(taken.ids), within=60)
            await eventually(lambda: none_is_due(admin))


async def test_gateways_that_sweep_at_once_publish_once(
    open_gateway: OpenGateway, new_body: NewBody, admin: asyncpg.Connection, world: World
) -> None:
    """What is due is published by one of several gateways, not by each."""
    async with open_gateway(broker_url=f"amqp://127.0.0.1:{free_port()}/") as gateway:
        bodies = [new_body() for _ in range(300)]
        answers = await asyncio.gather(*(gateway.post("/v1/notifications", json=body) for body in bodies))
    ids = {answer.json()["id"] for answer in answers}
    async with taking(world.broker_url, "email.queue") as taken, open_gateway(), open_gateway():
        await make_due(admin)
        # What a gateway leased that is gone is due again half a minute later.
        await eventually(lambda: none_is_due(admin), within=60)
        await eventually(lambda: ids <= taken.ids.keys())
        assert {taken.ids[one] for one in ids} == {1}
