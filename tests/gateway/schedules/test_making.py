"""Schedules at work: each occurrence becomes one notification, whatever dies."""

import signal
from functools import partial
from typing import Any

import asyncpg
import httpx
import msgspec

from gateway.conftest import OpenGateway
from gateway.schedules.conftest import EVERY_MINUTE, Add, NewSchedule, Overdue, Read, has, made_by, wall
from support.polling import eventually
from support.ports import free_port
from support.servers import create_database, provision
from support.serving import service_process
from support.world import World, fresh_address
from tidings.gateway.settings import GatewaySettings


async def test_an_occurrence_becomes_a_notification(
    gateway: httpx.AsyncClient, add: Add, overdue: Overdue, read: Read
) -> None:
    """What is due is sent as any other notification, and tells which schedule and moment it comes from."""
    added = await add(notification={"priority": "bulk", "metadata": {"report": "7"}})
    await overdue(added["id"], hours=1)
    await eventually(lambda: has(read, added["id"], made=1))
    (notification,) = await made_by(gateway, added["id"])
    assert notification["schedule_id"] == added["id"]
    assert (notification["priority"], notification["metadata"]) == ("bulk", {"report": "7"})
    schedule, _, moment = notification["request_id"].partition("/")
    assert schedule == added["id"]
    assert moment < added["next_at"][0]
    schedule_now = await read(added["id"])
    assert schedule_now["next_at"] == added["next_at"]
    await eventually(lambda: is_queued(gateway, notification["id"]))


async def is_queued(gateway: httpx.AsyncClient, notification_id: str) -> bool:
    return bool((await gateway.get(f"/v1/notifications/{notification_id}")).json()["status"] == "queued")


async def test_of_what_was_missed_the_newest(
    gateway: httpx.AsyncClient, add: Add, overdue: Overdue, read: Read
) -> None:
    """When no gateway ran for hours, the newest occurrence is sent and the others are counted as skipped."""
    added = await add()
    await overdue(added["id"], hours=5)
    await eventually(lambda: has(read, added["id"], made=1, skipped=4))
    assert len(await made_by(gateway, added["id"])) == 1


async def test_too_late_is_never(add: Add, overdue: Overdue, read: Read) -> None:
    """An occurrence that was missed by more than the grace is skipped."""
    added = await add(rrule="FREQ=DAILY", start_at_local=wall(days=-9, hours=-2))
    await overdue(added["id"], days=3)
    await eventually(lambda: has(read, added["id"], made=0, skipped=3))
    assert (await read(added["id"]))["next_at"] == added["next_at"]


async def test_missed_for_days(add: Add, overdue: Overdue, read: Read) -> None:
    """However many occurrences were missed, they are gone through, and the newest is sent."""
    added = await add(rrule=EVERY_MINUTE, start_at_local=wall(days=-9))
    await overdue(added["id"], days=2)

    async def is_made() -> bool:  # at the next minute there is another
        return bool((await read(added["id"]))["made"] >= 1)

    await eventually(is_made)
    assert 2_879 <= (await read(added["id"]))["skipped"] <= 2_881


async def test_the_last_occurrence(add: Add, overdue: Overdue, read: Read, admin: asyncpg.Connection) -> None:
    """A schedule whose rule is over has ended."""
    added = await add(rrule="FREQ=HOURLY;COUNT=3", start_at_local=wall(hours=-2, minutes=1))
    await admin.execute("update schedules set rrule = 'FREQ=HOURLY;COUNT=2' where id = $1", added["id"])
    await overdue(added["id"], hours=1)
    await eventually(lambda: has(read, added["id"], made=1, status="ended", next_at=[]))


async def test_a_notification_that_is_refused(
    add: Add, overdue: Overdue, read: Read, admin: asyncpg.Connection
) -> None:
    """An occurrence that is refused says why; after three in a row the schedule is paused, on record."""
    schedule_id = (await add())["id"]
    await admin.execute(
        "update schedules set notification = jsonb_set(notification, '{variables}', '{}') where id = $1",
        schedule_id,
    )
    for refused in (1, 2):
        await overdue(schedule_id, hours=1)
        await eventually(partial(has, read, schedule_id, skipped=refused))
    found = await read(schedule_id)
    assert (found["status"], found["last_problem"]["code"]) == ("active", "missing_variable")
    await overdue(schedule_id, hours=1)
    await eventually(lambda: has(read, schedule_id, status="paused", made=0, skipped=3, next_at=[]))
    assert "missing_variable" in (await read(schedule_id))["paused_because"]
    entries = await admin.fetch("select actor, action from audit_log where subject = $1", schedule_id)
    assert ("gateway", "schedule.paused") in [(one["actor"], one["action"]) for one in entries]


async def test_a_paused_schedule_makes_nothing(
    gateway: httpx.AsyncClient, add: Add, read: Read, admin: asyncpg.Connection
) -> None:
    """What was leased before the pause makes no notification after it."""
    schedule_id, other = (await add())["id"], (await add())["id"]
    await gateway.post(f"/v1/schedules/{schedule_id}/pause")
    await admin.execute(
        "update schedules set due_at = now(), next_local = start_at_local where id = $1", schedule_id
    )
    await admin.execute(
        "update schedules set due_at = now(), next_local = start_at_local where id = $1", other
    )
    await eventually(lambda: has(read, other, made=1))
    assert await made_by(gateway, schedule_id) == []


async def test_a_recipient_who_moves(
    add: Add, overdue: Overdue, read: Read, world: World, admin: asyncpg.Connection
) -> None:
    """A schedule without a time zone of its own goes with its recipient, and sends nothing too early."""
    user_id = await world.add_user(email=fresh_address(), time_zone="Asia/Tokyo")
    added = await add(rrule="FREQ=DAILY", start_at_local=wall(days=3), notification={"user_id": user_id})
    moved = await world.users.http.patch(f"/users/{user_id}", json={"time_zone": "America/Bogota"})
    assert moved.status_code == 200, moved.text
    await overdue(added["id"])
    await eventually(lambda: moved_by_14_hours(admin, added))
    found = await read(added["id"])
    assert (found["made"], found["skipped"]) == (0, 0)


async def moved_by_14_hours(admin: asyncpg.Connection, schedule: dict[str, Any]) -> bool:
    query = "select next_at - $2::text::timestamptz = interval '14 hours' from schedules where id = $1"
    return bool(await admin.fetchval(query, schedule["id"], schedule["next_at"][0]))


async def test_an_unknown_clock(
    open_gateway: OpenGateway, new_schedule: NewSchedule, postgres_admin_url: str
) -> None:
    """While the user service is away, a schedule goes by the clock that its recipient had last."""
    own = await create_database(postgres_admin_url)
    url = await provision(own, "gateway")
    async with open_gateway(database_url=url) as gateway:
        added = (await gateway.post("/v1/schedules", json=new_schedule())).json()
    connection = await asyncpg.connect(own, server_settings={"search_path": "gateway"})
    await connection.execute(_AN_HOUR_AGO, [added["id"]])
    async with open_gateway(database_url=url, users_url=f"http://127.0.0.1:{free_port()}"):
        await eventually(lambda: all_made(connection, [added["id"]]))
    await connection.close()


async def test_two_gateways(open_gateway: OpenGateway, add: Add, admin: asyncpg.Connection) -> None:
    """Gateways share what is due: each occurrence becomes one notification."""
    async with open_gateway(), open_gateway():
        ids = await copies(admin, (await add())["id"], 300)
        await admin.execute(_AN_HOUR_AGO, ids)
        await eventually(lambda: all_made(admin, ids))
    assert await counts(admin, ids) == {1}


async def test_a_gateway_that_is_killed(
    settings: GatewaySettings, open_gateway: OpenGateway, new_schedule: NewSchedule, postgres_admin_url: str
) -> None:
    """Whenever a gateway dies, each occurrence becomes one notification."""
    own = await create_database(postgres_admin_url)
    url = await provision(own, "gateway")
    async with open_gateway(database_url=url) as gateway:
        added = (await gateway.post("/v1/schedules", json=new_schedule())).json()
    connection = await asyncpg.connect(own, server_settings={"search_path": "gateway"})
    ids = await copies(connection, added["id"], 500)
    await connection.execute(_STOP_HALF_WAY)
    killed = msgspec.structs.replace(settings, database_url=url, port=free_port())
    async with service_process("gateway", killed) as process:
        await connection.execute(_AN_HOUR_AGO, ids)
        await eventually(lambda: some_made(connection, ids))
        await process.end(signal.SIGKILL)
    assert await counts(connection, ids) == {0, 1}
    await connection.execute("select pg_advisory_unlock(1)")
    # As its leases would in half a minute.
    await connection.execute(
        "update schedules set due_at = now() where id = any($1::uuid[]) and made = 0", ids
    )
    async with open_gateway(database_url=url):
        await eventually(lambda: all_made(connection, ids))
    assert await counts(connection, ids) == {1}
    await connection.close()


# However late the kill comes, it finds the gateway in the middle of a transaction.
_STOP_HALF_WAY = """
create sequence begun;
create function stop_half_way() returns trigger security definer set search_path from current as $$
begin
    if nextval('begun') > 250 then
        perform pg_advisory_xact_lock(1);
    end if;
    return new;
end
$$ language plpgsql;
create trigger stop_half_way before insert on notifications for each row execute function stop_half_way();
select pg_advisory_lock(1);
"""


async def some_made(admin: asyncpg.Connection, ids: list[str]) -> bool:
    found = "select exists (select from schedules where id = any($1::uuid[]) and made > 0)"
    return bool(await admin.fetchval(found, ids))


async def copies(admin: asyncpg.Connection, schedule_id: str, count: int) -> list[str]:
    """Ids of schedules like this one, which are not due."""
    columns = """
        owner, sandbox, rrule, start_at_local, notification, status, zone, next_local, next_at,
        created_at, updated_at
    """
    rows = await admin.fetch(
        f"""
        insert into schedules (id, {columns})
        select gen_random_uuid(), {columns} from schedules, generate_series(1, $2) where id = $1 returning id
        """,  # noqa: S608 - our own columns
        schedule_id,
        count,
    )
    return [str(row["id"]) for row in rows]


_AN_HOUR_AGO = """
update schedules set next_local = next_local - interval '1 hour', due_at = now() where id = any($1::uuid[])
"""


async def all_made(admin: asyncpg.Connection, ids: list[str]) -> bool:
    left = "select count(*) from schedules where id = any($1::uuid[]) and made = 0"
    return not await admin.fetchval(left, ids)


async def counts(admin: asyncpg.Connection, ids: list[str]) -> set[int]:
    """How many notifications the schedules have."""
    rows = await admin.fetch(
        """
        select count(n.id) as count from unnest($1::uuid[]) as wanted (id)
        left join notifications n on n.schedule_id = wanted.id group by wanted.id
        """,
        ids,
    )
    return {row["count"] for row in rows}


async def test_a_recipient_who_is_erased(
    open_gateway: OpenGateway, world: World, add: Add, read: Read, admin: asyncpg.Connection
) -> None:
    """With a person their schedules end, and what these say of the person is forgotten."""
    user_id = await world.add_user(email=fresh_address())
    added = await add(name="For Ada", notification={"user_id": user_id, "metadata": {"who": "Ada"}})
    problem = {"at": "2026-01-31T09:00:00Z", "code": "invalid_variables", "detail": "Ada is no number"}
    statement = "update schedules set last_problem = $2 where id = $1"
    await admin.execute(statement, added["id"], msgspec.json.encode(problem).decode())
    async with open_gateway(erasure_seconds=0.05):
        erased = await world.users.http.delete(f"/users/{user_id}")
        assert erased.is_success, erased.text
        await eventually(lambda: has(read, added["id"], status="ended", name=None))
    assert "Ada" not in await admin.fetchval("select s::text from schedules s where id = $1", added["id"])
