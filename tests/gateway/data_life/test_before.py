"""What a gateway kept before there were partitions goes on being kept, and ends as all else does."""

import asyncio
from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec
import pytest

import tidings.gateway
from gateway.conftest import NewBody, OpenGateway
from gateway.data_life.stored import Stored, days_ago, storing
from support.polling import eventually
from support.servers import PATIENCE, create_database, provision
from tidings.contracts.codes import Status
from tidings.contracts.messages import StatusEvent, StatusReport
from tidings.contracts.queues import STATUS_QUEUE, topology
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Message
from tidings.kit.ids import now
from tidings.kit.migrations import upgrade

BEFORE = "0009"
YEARS_AHEAD = -9_000


@pytest.fixture
async def older(postgres_admin_url: str, tmp_path: Path) -> str:
    """The superuser's URL of a database with the tables as they were before."""
    database_url = await create_database(postgres_admin_url)
    (tmp_path / "versions").mkdir()
    for source in (Path(tidings.gateway.__file__).parent / "migrations" / "versions").glob("0*.py"):
        if source.name < BEFORE:
            (tmp_path / "versions" / source.name).write_text(source.read_text())
    url = await provision(database_url, "gateway")
    await asyncio.to_thread(upgrade, url, schema="gateway", folder=tmp_path)
    return database_url


async def test_what_was_there_is_kept_and_ends(
    open_gateway: OpenGateway, older: str, new_body: NewBody
) -> None:
    """Rows of all ages are read, tracked and listed beside new ones; what is too old goes row by row."""
    async with storing(older) as stored:
        ages = (200, 8, 1, YEARS_AHEAD)
        too_old, week_old, new, ahead = [await stored.notification(days_ago(age)) for age in ages]
        waiting = await stored.notification(days_ago(200), status="scheduled")
        settings = {
            "database_url": await provision(older, "gateway"),
            "broker_url": await provision(older, "broker"),
        }
        async with (
            open_gateway(**settings) as gateway,
            open_broker(settings["broker_url"], topology(), publish_limit=PATIENCE) as broker,
        ):
            await eventually(lambda: _is_gone(stored, too_old))
            event = StatusEvent(notification_id=week_old, status=Status.DELIVERED, at=now())
            body = msgspec.json.encode(StatusReport(events=[event]))
            await broker.publish(STATUS_QUEUE, [Message("late", body)])
            await eventually(lambda: _is_delivered(stored, week_old))
            taken = (await gateway.post("/v1/notifications", json=new_body())).json()["id"]
            listed = (await gateway.get("/v1/notifications")).json()["notifications"]
            timeline = (await gateway.get(f"/v1/notifications/{week_old}")).json()["timeline"]
    assert [one["id"] for one in listed] == [str(one) for one in (ahead, taken, new, week_old, waiting)]
    assert [step["status"] for step in timeline] == ["accepted", "sent", "delivered"]


async def test_the_tables_are_what_they_were(older: str, postgres_admin_url: str) -> None:
    """A new installation and an older one have the same columns, defaults and indexes after the migration."""
    fresh = await create_database(postgres_admin_url)
    async with storing(older) as stored:
        await stored.notification(days_ago(1))
    shapes = []
    for database_url in (older, fresh):
        url = await provision(database_url, "gateway")
        folder = Path(tidings.gateway.__file__).parent / "migrations"
        await asyncio.to_thread(upgrade, url, schema="gateway", folder=folder)
        async with storing(database_url) as stored:
            shapes.append(await _shape(stored.connection))
    assert shapes[0] == shapes[1]
    assert any("events_identity" in index for _, index in shapes[0])


async def _shape(connection: asyncpg.Connection) -> list[tuple[str, str]]:
    rows = await connection.fetch(
        """
        select table_name as name, concat_ws(' ', column_name, data_type, column_default) as what
        from information_schema.columns
        where table_schema = 'gateway' and table_name in ('notifications', 'events')
        union all
        select tablename, indexdef from pg_indexes
        where schemaname = 'gateway' and tablename in ('notifications', 'events')
        order by 1, 2
        """
    )
    return [(row["name"], row["what"]) for row in rows]


async def _is_gone(stored: Stored, notification_id: UUID) -> bool:
    return notification_id not in await stored.ids()


async def _is_delivered(stored: Stored, notification_id: UUID) -> bool:
    status: str = await stored.connection.fetchval(
        "select status from notifications where id = $1", notification_id
    )
    return status == "delivered"
