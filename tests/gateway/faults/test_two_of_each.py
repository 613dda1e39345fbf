"""Two gateways at once, which accept, dispatch, track and call back side by side."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from gateway.conftest import NewBody
from gateway.faults.conftest import Running, StartGateway
from gateway.queues import taking
from support.polling import eventually
from support.servers import PATIENCE, create_database, provision
from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import StatusEvent, StatusReport
from tidings.contracts.queues import STATUS_QUEUE, topology
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Message
from tidings.kit.ids import now

MANY = 300
COPIES = 3
LIFE = (
    (Status.RETRYING, 1, Reason.PROVIDER_UNAVAILABLE),
    (Status.SENT, 2, None),
    (Status.DELIVERED, 2, None),
)
ENDPOINT = "http://127.0.0.1:9/hook"  # the discard port: what would go there stays in the table


@pytest.fixture
async def database(postgres_admin_url: str) -> str:
    """A database for the two."""
    return await create_database(postgres_admin_url)


@pytest.fixture
async def broker_url(database: str) -> str:
    """Their broker."""
    return await provision(database, "broker")


@pytest.fixture
async def gateways(
    start_gateway: StartGateway, database: str, broker_url: str
) -> AsyncIterator[tuple[Running, Running]]:
    """The two."""
    shared = {"database_url": await provision(database, "gateway"), "broker_url": broker_url}
    hosts = (ENDPOINT.split("/")[2],)
    async with (
        start_gateway(**shared, callback_hosts=hosts) as one,
        start_gateway(**shared, callback_hosts=hosts) as other,
    ):
        yield one, other


@pytest.fixture
async def admin(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser in their schema."""
    connection = await asyncpg.connect(database, server_settings={"search_path": "gateway"})
    yield connection
    await connection.close()


def events_of(notification_id: UUID) -> list[StatusEvent]:
    """What workers report of one notification."""
    return [
        StatusEvent(
            notification_id=notification_id,
            status=status,
            attempt=attempt,
            reason=reason,
            at=now() + timedelta(seconds=number),
            provider="smtp",
        )
        for number, (status, attempt, reason) in enumerate(LIFE)
    ]


async def report_repeatedly(broker_url: str, ids: list[UUID]) -> None:
    """Each report several times, all of them in no order."""
    bodies = [
        msgspec.json.encode(StatusReport(events=[event]))
        for notification_id in ids
        for event in events_of(notification_id)
    ] * COPIES
    random.Random(7).shuffle(bodies)  # noqa: S311 - no secret
    async with open_broker(broker_url, topology(), publish_limit=PATIENCE) as broker:
        await broker.publish(STATUS_QUEUE, [Message(str(uuid4()), body) for body in bodies])


async def test_two_gateways_and_two_trackers(
    gateways: tuple[Running, Running], broker_url: str, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """Each request is one message, each report one step, and each change of state one callback."""
    endpoint = {"url": ENDPOINT, "events": ["notification.sent", "notification.delivered"]}
    added = await gateways[0].http.post("/v1/callback-endpoints", json=endpoint)
    assert added.is_success
    # So that the other knows it at once, as it does what is changed through itself.
    path = f"/v1/callback-endpoints/{added.json()['id']}"
    assert (await gateways[1].http.patch(path, json={"enabled": True})).is_success
    async with taking(broker_url, "email.queue") as taken:
        # Each request goes to both at once: one takes it, the other says that it was taken.
        answers = await asyncio.gather(
            *(
                gateway.http.post("/v1/notifications", json=body)
                for body in [new_body() for _ in range(MANY)]
                for gateway in gateways
            )
        )
        ids = sorted({UUID(answer.json()["id"]) for answer in answers})
        assert {answer.status_code for answer in answers} == {202}
        assert len(ids) == MANY
        await eventually(lambda: len(taken.ids) == MANY)
        await report_repeatedly(broker_url, ids)
        await eventually(lambda: all_delivered(admin))
        assert taken.ids.total() == MANY
    await eventually(lambda: none_reported(admin))
    steps = await admin.fetch("select notification_id, status, attempt from events")
    assert Counter(map(tuple, steps)) == Counter(
        (notification_id, str(status), attempt) for notification_id in ids for status, attempt, _ in LIFE
    )
    callbacks = await admin.fetch("select notification_id, type from callback_deliveries")
    told = Counter(map(tuple, callbacks))
    assert set(told.values()) == {1}
    assert {notification_id for notification_id, kind in told if kind == "notification.delivered"} == set(ids)


async def all_delivered(admin: asyncpg.Connection) -> bool:
    """Whether each has its last state."""
    return not await admin.fetchval(
        "select exists (select from notifications where status is distinct from 'delivered')"
    )


async def none_reported(admin: asyncpg.Connection) -> bool:
    """Whether both trackers have nothing left to do."""
    return not await admin.fetchval(
        "select exists (select from broker.message where queue = $1)", STATUS_QUEUE
    )
