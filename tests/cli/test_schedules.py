"""`tidings schedules` as a person types it."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from support.commands import run_command
from support.stack import Stack
from tidings.client import Tidings
from tidings.contracts.codes import Channel, Reached
from tidings.contracts.notifications import Fallback
from tidings.contracts.schedules import NewSchedule, RecurringNotification, Schedule
from tidings.kit.ids import now

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
async def stack(shared_home: Path) -> AsyncIterator[Stack]:
    running = await Stack.start(shared_home)
    yield running
    await running.stop()


@pytest.fixture
async def schedule(stack: Stack) -> Schedule:
    """A report every morning from tomorrow on."""
    report = RecurringNotification(
        channel=Channel.EMAIL,
        user_id=stack.ready["user_id"],
        template_id="welcome",
        variables={"name": "Ada", "link": "https://example.com/start"},
        fallback=Fallback(channel=Channel.PUSH, after_seconds=3_600, unless=Reached.SENT),
    )
    start = (now() + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0, tzinfo=None)
    new = NewSchedule(name="The report", rrule="FREQ=DAILY", start_at_local=start, notification=report)
    async with Tidings(stack.gateway, stack.ready["api_key"]) as tidings:
        return await tidings.schedules.create(new)


async def test_life(stack: Stack, tmp_path: Path, schedule: Schedule) -> None:
    """A schedule is listed with its next moment, shown, paused, resumed and ended; then it is too late."""

    async def ask(command: str, *words: str) -> tuple[int, str]:
        return await run_command(tmp_path, "schedules", command, *words, "--home", str(stack.home))

    the = str(schedule.id)
    following = f"{schedule.next_at[0]:%Y-%m-%dT%H:%M:%SZ}"
    code, shown = await ask("list", "--status", "active")
    assert code == 0, shown
    (line,) = [line for line in shown.splitlines() if line.startswith(the)]
    assert line.split()[1:6] == ["active", following, "0", "0", "welcome"]

    shown = (await ask("show", the))[1]
    assert following in shown
    assert "welcome by email, or push unless sent within 3,600 s, to " in shown
    assert (await ask("pause", the))[1].startswith(f"{the}  paused")
    assert (await ask("resume", the))[1].startswith(f"{the}  active")
    assert json.loads((await ask("show", the, "--json"))[1])["name"] == "The report"
    assert (await ask("end", the))[1].startswith(f"{the}  ended")
    code, shown = await ask("pause", the)
    assert (code, "schedule_ended" in shown) == (1, True)


async def test_adding(stack: Stack, tmp_path: Path) -> None:
    """What the options say is what recurs; a rule that is none is explained, and nothing is made."""
    start = (now() + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0, tzinfo=None)
    words = ["--start", start.isoformat(), "--time-zone", "Europe/Lisbon", "--name", "The report"]
    words += ["--channel", "email", "--user", stack.ready["user_id"], "--template", "welcome"]
    words += ["--var", "name=Ada", "--var", "link=https://example.com/start", "--fallback", "push"]

    async def add(rule: str) -> tuple[int, str]:
        home = str(stack.home)
        return await run_command(
            tmp_path, "schedules", "add", "--rule", rule, *words, "--json", "--home", home
        )

    code, shown = await add("FREQ=DAILY")
    assert code == 0, shown
    made = msgspec.json.decode(shown, type=Schedule)
    assert (made.rrule, made.start_at_local, made.time_zone) == ("FREQ=DAILY", start, "Europe/Lisbon")
    assert (made.name, len(made.next_at)) == ("The report", 5)
    assert made.notification.variables == {"name": "Ada", "link": "https://example.com/start"}
    assert made.notification.fallback == Fallback(channel=Channel.PUSH)

    code, shown = await add("FREQ=OFTEN")
    assert (code, "FREQ" in shown) == (1, True)
    async with Tidings(stack.gateway, stack.ready["api_key"]) as tidings:
        assert [one.rrule async for one in tidings.schedules.find()].count("FREQ=OFTEN") == 0
