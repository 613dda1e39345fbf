"""Schedules, and time as if it had passed."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

NewSchedule = Callable[..., dict[str, Any]]
Add = Callable[..., Awaitable[dict[str, Any]]]
Overdue = Callable[..., Awaitable[None]]

EVERY_MINUTE = f"FREQ=HOURLY;BYMINUTE={','.join(map(str, range(60)))}"


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

    async def turn_back(schedule_id: str, **ago: float) -> None:
        await admin.execute(
            "update schedules set next_local = next_local - $2::interval, due_at = now() where id = $1",
            schedule_id,
            timedelta(**ago),
        )

    return turn_back


def wall(**ahead: float) -> str:
    """What a clock in UTC shows then."""
    moment = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(**ahead)
    return moment.isoformat()
