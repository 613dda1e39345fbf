"""Schedules, and time as if it had passed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest

NewSchedule = Callable[..., dict[str, Any]]
Add = Callable[..., Awaitable[dict[str, Any]]]
Overdue = Callable[..., Awaitable[None]]
Read = Callable[[str], Awaitable[dict[str, Any]]]

EVERY_MINUTE = f"FREQ=HOURLY;BYMINUTE={','.join(map(str, range(60)))}"


@pytest.fixture(scope="module", autouse=True)
async def nothing_goes_on(
    gateway: httpx.AsyncClient,  # noqa: ARG001 - it makes the tables
    admin: asyncpg.Connection,
) -> AsyncIterator[None]:
    """No schedule of these tests sends among the notifications of later ones."""
    yield
    await admin.execute("delete from schedules")


@pytest.fixture(scope="session")
def new_schedule(user_id: str) -> NewSchedule:
    """Makes the body of a request for a schedule that began a day ago, changed as named."""

    def make(*, notification: dict[str, Any] | None = None, **changed: object) -> dict[str, Any]:
        sent = {
            "channel": "email",
            "user_id": user_id,
            "template_id": "welcome",
            "variables": {"name": "Ada"},
        }
        body = {
            "rrule": "FREQ=HOURLY",
            "start_at_local": wall(days=-1),
            "notification": sent | (notification or {}),
            **changed,
        }
        return {name: value for name, value in body.items() if value is not None}

    return make


@pytest.fixture(scope="session")
def add(gateway: httpx.AsyncClient, new_schedule: NewSchedule) -> Add:
    """Adds a schedule, and answers it."""

    async def add_it(**changed: object) -> dict[str, Any]:
        answer = await gateway.post("/v1/schedules", json=new_schedule(**changed))
        assert answer.status_code == 201, answer.text
        added: dict[str, Any] = answer.json()
        return added

    return add_it


@pytest.fixture(scope="session")
def overdue(admin: asyncpg.Connection) -> Overdue:
    """Turns a schedule's clock back, as if no gateway had looked at it for so long."""
    return partial(turn_back, admin)


@pytest.fixture(scope="session")
def read(gateway: httpx.AsyncClient) -> Read:
    """Reads a schedule."""
    return partial(read_schedule, gateway)


async def turn_back(admin: asyncpg.Connection, schedule_id: str, **ago: float) -> None:
    """Let a schedule be due, as if no gateway had looked at it for so long."""
    await admin.execute(
        "update schedules set next_local = next_local - $2::interval, due_at = now() where id = $1",
        schedule_id,
        timedelta(**ago),
    )


async def read_schedule(gateway: httpx.AsyncClient, schedule_id: str) -> dict[str, Any]:
    """A schedule as its owner sees it."""
    found: dict[str, Any] = (await gateway.get(f"/v1/schedules/{schedule_id}")).json()
    return found


async def has(read: Read, schedule_id: str, **expected: object) -> bool:
    """Whether a schedule says so of itself."""
    found = await read(schedule_id)
    return all(found[name] == value for name, value in expected.items())


async def made_by(gateway: httpx.AsyncClient, schedule_id: str) -> list[dict[str, Any]]:
    """The notifications of a schedule, newest first."""
    page = await gateway.get("/v1/notifications", params={"schedule_id": schedule_id})
    found: list[dict[str, Any]] = page.json()["notifications"]
    return found


def wall(**ahead: float) -> str:
    """What a clock in UTC shows then."""
    moment = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(**ahead)
    return moment.isoformat()
