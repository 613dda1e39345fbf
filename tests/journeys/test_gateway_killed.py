"""The gateway killed at its two worst moments: between commit and publish, and between publish and mark."""

from collections import Counter
from collections.abc import AsyncIterator

import asyncpg
import pytest

from journeys.ledger_of_all import accept_many, counted, emails
from support.polling import eventually
from support.rabbitmq import RabbitNode
from support.stack import Stack

pytestmark = [pytest.mark.journey, pytest.mark.rabbitmq]

MANY = 100
RESTART_SECONDS = 60.0

# Holds up whoever marks a notification as queued; taking notifications is not held up.
HOLD_UP = """
create function public.hold_up() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock_shared(1); return null; end $$;
create trigger hold_up before update on gateway.notifications execute function public.hold_up();
"""
GO_ON = "drop trigger hold_up on gateway.notifications; drop function public.hold_up()"
HANG_UP = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and application_name = 'tidings-gateway'
"""
# What a gateway is at work on is left to it: waiting for one another could be a deadlock.
MAKE_DUE = """
update gateway.notifications set dispatch_at = now() where id in (
    select id from gateway.notifications where dispatch_at is not null for update skip locked
)
"""
NOT_MARKED = "select count(*) from gateway.notifications where dispatch_at is not null"


@pytest.fixture
async def admin(real_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser in the database of `real_world`."""
    connection = await asyncpg.connect(real_database)
    yield connection
    await connection.close()


async def all_went_out_once(world: Stack, admin: asyncpg.Connection, ids: list[str]) -> None:
    """Each was sent, the broker has each, and what it had twice was not sent twice."""
    await admin.execute(MAKE_DUE)
    await eventually(lambda: none_is_left(admin), within=RESTART_SECONDS)
    counts = await counted(world, ids)
    assert counts.settled == {"sent": len(ids)}
    # What comes after them in the queue is sent only when they have been dealt with.
    later = await accept_many(world, f"after-{ids[0]}", MANY)
    await counted(world, later)
    copies = await emails(world)
    assert Counter(copies[notification_id, "person"] for notification_id in ids) == {1: len(ids)}


async def none_is_left(admin: asyncpg.Connection) -> bool:
    """Whether the broker has confirmed every notification."""
    return not await admin.fetchval(NOT_MARKED)


async def test_killed_between_commit_and_publish(
    real_world: Stack, rabbit: RabbitNode, admin: asyncpg.Connection
) -> None:
    """What was committed and never reached the broker goes out through the next gateway, once."""
    rabbit.pause()
    try:
        ids = await accept_many(real_world, "unpublished", MANY)
        real_world.kill("gateway")
    finally:
        rabbit.resume()
    await eventually(lambda: real_world.is_up("gateway"), within=RESTART_SECONDS)
    await all_went_out_once(real_world, admin, ids)


async def test_killed_between_publish_and_mark(real_world: Stack, admin: asyncpg.Connection) -> None:
    """What the broker has and nobody noted is published again, and no email is sent twice for it."""
    await admin.execute("select pg_advisory_lock(1)")
    await admin.execute(HOLD_UP)
    ids = await accept_many(real_world, "unmarked", MANY)

    async def all_arrived() -> bool:
        return {notification_id for notification_id, _ in await emails(real_world)} >= set(ids)

    await eventually(all_arrived, within=RESTART_SECONDS)
    real_world.kill("gateway")
    await admin.execute(HANG_UP)
    assert await admin.fetchval(NOT_MARKED) == MANY
    await admin.execute("select pg_advisory_unlock(1)")
    await admin.execute(GO_ON)
    await eventually(lambda: real_world.is_up("gateway"), within=RESTART_SECONDS)
    await all_went_out_once(real_world, admin, ids)
