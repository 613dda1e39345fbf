"""Occurrences count against the limits of their key, and what these refuse is on record."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest
from prometheus_client import REGISTRY

from gateway.conftest import NewBody, OpenGateway
from gateway.keys import add_key
from gateway.schedules.conftest import NewSchedule, has, made_by, read_schedule, turn_back
from support.polling import eventually
from support.ports import free_port
from support.servers import PATIENCE, create_database, provision
from support.world import World


@dataclass(frozen=True)
class Alone:
    """A database where no other gateway looks for what is due, and a key whose limits are its own."""

    admin: asyncpg.Connection
    open_gateway: OpenGateway
    settings: dict[str, Any]
    key: str

    @asynccontextmanager
    async def gateway(self, **changed: object) -> AsyncIterator[httpx.AsyncClient]:
        """A gateway that limits as named."""
        async with self.open_gateway(**self.settings | changed) as gateway:
            gateway.headers["Authorization"] = f"Bearer {self.key}"
            yield gateway

    async def add(self, gateway: httpx.AsyncClient, body: dict[str, Any]) -> str:
        """The id of a new schedule."""
        answer = await gateway.post("/v1/schedules", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def becomes(self, gateway: httpx.AsyncClient, schedule_id: str, **expected: object) -> None:
        """Let an occurrence be due, and return once the schedule says so of itself."""
        await turn_back(self.admin, schedule_id, hours=1)
        await eventually(partial(has, partial(read_schedule, gateway), schedule_id, **expected))


@pytest.fixture
async def alone(open_gateway: OpenGateway, postgres_admin_url: str, world: World) -> AsyncIterator[Alone]:
    own = await create_database(postgres_admin_url)
    url = await provision(own, "gateway")
    async with open_gateway(database_url=url):
        pass  # its tables are there now
    admin = await asyncpg.connect(own, server_settings={"search_path": "gateway"})
    settings = {"database_url": url, "cache_url": world.cache_url, "limit_patience": PATIENCE}
    yield Alone(admin, open_gateway, settings, await add_key(admin, "*"))
    await admin.close()


async def test_an_occurrence_counts(alone: Alone, new_schedule: NewSchedule, new_body: NewBody) -> None:
    """It takes from the same limit as a request; a used-up one refuses it on record, and pauses nothing."""
    async with alone.gateway(limit_recipient_per_hour=1) as gateway:
        schedule_id = await alone.add(gateway, new_schedule())
        await alone.becomes(gateway, schedule_id, made=1)
        assert (await gateway.post("/v1/notifications", json=new_body())).status_code == 429
        for skipped in range(1, 5):
            await alone.becomes(gateway, schedule_id, made=1, skipped=skipped)
        found = await read_schedule(gateway, schedule_id)
    assert found["status"] == "active"
    assert found["last_problem"]["code"] == "rate_limited"
    assert "`recipient`" in found["last_problem"]["detail"]

    async with alone.gateway(limit_recipient_per_hour=2) as gateway:
        await alone.becomes(gateway, schedule_id, made=2, skipped=4)
        assert len(await made_by(gateway, schedule_id)) == 2


async def test_a_limit_is_no_fault_of_the_schedule(alone: Alone, new_schedule: NewSchedule) -> None:
    """A used-up limit never pauses a schedule, and does not hide that three faults came in a row."""
    async with alone.gateway(limit_notifications_per_minute=1) as gateway:
        both = {
            "channel": "push",
            "also": ["email"],
            "variables": {"name": "Ada", "link": "https://a.example"},
        }
        schedule_id = await alone.add(gateway, new_schedule(notification=both))
        for skipped, variables in ((1, {}), (2, {}), (3, both["variables"])):
            await say(alone.admin, schedule_id, variables)
            await alone.becomes(gateway, schedule_id, skipped=skipped, status="active")
        assert (await read_schedule(gateway, schedule_id))["last_problem"]["code"] == "rate_limited"
        await say(alone.admin, schedule_id, {})
        await alone.becomes(gateway, schedule_id, made=0, skipped=4, status="paused")


async def say(admin: asyncpg.Connection, schedule_id: str, variables: object) -> None:
    await admin.execute(
        "update schedules set notification = jsonb_set(notification, '{variables}', $2) where id = $1",
        schedule_id,
        json.dumps(variables),
    )


async def test_what_was_not_stored_is_given_back(
    alone: Alone, new_schedule: NewSchedule, new_body: NewBody
) -> None:
    """An occurrence that was counted and could not be stored takes nothing, and is made later."""
    async with alone.gateway(limit_recipient_per_hour=1) as gateway:
        schedule_id = await alone.add(gateway, new_schedule())
        await alone.admin.execute(_REFUSE_ROWS)
        await turn_back(alone.admin, schedule_id, hours=1)
        await eventually(partial(tried, alone.admin))

        async def is_given_back() -> bool:
            answer = await gateway.post("/v1/notifications?dry_run=true", json=new_body())
            return bool(answer.json()["code"] is None)

        await eventually(is_given_back)
        await alone.admin.execute("drop trigger refuse on notifications")
        # As its lease would in half a minute.
        await alone.admin.execute("update schedules set due_at = now() where id = $1", schedule_id)
        await eventually(partial(has, partial(read_schedule, gateway), schedule_id, made=1, skipped=0))


async def tried(admin: asyncpg.Connection) -> bool:
    return bool(await admin.fetchval("select is_called from tries"))


# What a sequence has counted stays counted when its transaction fails.
_REFUSE_ROWS = """
create sequence tries;
create function refuse() returns trigger security definer set search_path from current as $$
begin
    perform nextval('tries');
    raise exception 'no room';
end
$$ language plpgsql;
create trigger refuse before insert on notifications for each row execute function refuse();
"""


async def test_without_redis(alone: Alone, new_schedule: NewSchedule) -> None:
    """While Redis is away every occurrence is made, and counted as let through."""
    before = unchecked()
    nowhere = f"redis://127.0.0.1:{free_port()}"
    async with alone.gateway(limit_recipient_per_hour=1, cache_url=nowhere) as gateway:
        schedule_id = await alone.add(gateway, new_schedule())
        for made in (1, 2):
            await alone.becomes(gateway, schedule_id, made=made, skipped=0)
    assert unchecked() >= before + 2


def unchecked() -> float:
    return REGISTRY.get_sample_value("tidings_limits_unchecked_total") or 0.0
