"""What `tidings schedules` asks of the gateway, and how it shows the answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import msgspec

from tidings.cli.answers import explained
from tidings.cli.tables import moment, out, show_json, table
from tidings.cli.target import Target
from tidings.client.schedules import SchedulesClient
from tidings.client.sdk import Tidings
from tidings.contracts.schedules import NewSchedule, RecurringNotification, Schedule, ScheduleStatus


async def add(target: Target, wanted: NewSchedule, *, as_json: bool) -> None:
    """Make one, and show it with its next moments."""
    async with _opened(target) as schedules:
        _tell(await schedules.create(wanted), as_json=as_json)


async def list_all(target: Target, status: ScheduleStatus | None, *, as_json: bool) -> None:
    """One line for each schedule."""
    async with _opened(target) as schedules:
        found = [one async for one in schedules.find(status=status)]
    if as_json:
        show_json(found)
        return
    rows = [("ID", "STATUS", "NEXT", "MADE", "SKIPPED", "TEMPLATE", "RULE", "NAME")]
    table(rows + [_row(one) for one in found])


async def show(target: Target, schedule_id: UUID, *, as_json: bool) -> None:
    """All that is known of one."""
    async with _opened(target) as schedules:
        _tell(await schedules.read(schedule_id), as_json=as_json)


async def pause(target: Target, schedule_id: UUID) -> None:
    """Pause one, and show it."""
    async with _opened(target) as schedules:
        _show(await schedules.pause(schedule_id))


async def resume(target: Target, schedule_id: UUID) -> None:
    """Resume one, and show it."""
    async with _opened(target) as schedules:
        _show(await schedules.resume(schedule_id))


async def end(target: Target, schedule_id: UUID) -> None:
    """End one, and show it."""
    async with _opened(target) as schedules:
        await schedules.end(schedule_id)
        _show(await schedules.read(schedule_id))


@asynccontextmanager
async def _opened(target: Target) -> AsyncIterator[SchedulesClient]:
    with explained(target.url):
        async with Tidings(target.url, target.api_key) as tidings:
            yield tidings.schedules


def _row(one: Schedule) -> tuple[str, ...]:
    following = moment(one.next_at[0]) if one.next_at else "-"
    counts = (str(one.made), str(one.skipped))
    return (
        str(one.id),
        one.status,
        following,
        *counts,
        one.notification.template_id,
        one.rrule,
        one.name or "-",
    )


def _ways(sent: RecurringNotification) -> str:
    together = " and ".join([sent.channel, *(sent.also or [])])
    then = sent.fallback
    if then is None:
        return together
    return f"{together}, or {then.channel} unless {then.unless} within {then.after_seconds:,} s,"


def _tell(one: Schedule, *, as_json: bool) -> None:
    if as_json:
        show_json(one)
    else:
        _show(one)


def _show(one: Schedule) -> None:
    out(f"{one.id}  {one.status}" + (f" ({one.paused_because})" if one.paused_because else ""))
    clock = one.time_zone or "the recipient's clock"
    problem = one.last_problem
    sent = one.notification
    lines = {
        "name": one.name,
        "rule": f"{one.rrule}, from {one.start_at_local.isoformat()} ({clock})",
        "sends": f"{sent.template_id} by {_ways(sent)} to {sent.user_id}",
        "variables": msgspec.json.encode(sent.variables).decode() if sent.variables else None,
        "next": "  ".join(moment(at) for at in one.next_at) or None,
        "made": str(one.made),
        "skipped": str(one.skipped),
        "last problem": problem and f"{moment(problem.at)}  {problem.detail} ({problem.code})",
    }
    table([(f"  {name}", words) for name, words in lines.items() if words])
