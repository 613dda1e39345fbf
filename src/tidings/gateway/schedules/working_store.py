"""All SQL of making notifications of schedules: an occurrence and the step past it are one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from tidings.contracts.schedules import ScheduleProblem, ScheduleStatus
from tidings.gateway.limits.tally import Counted
from tidings.gateway.schedules.occurrences import Occurrence
from tidings.gateway.store import BATCH_SECONDS, NewRow, add_notifications
from tidings.kit.audit.store import record as record_audit
from tidings.kit.database import Connection, Database
from tidings.kit.ids import now

MOST_REFUSALS = 3
"""After so many in a row a schedule is paused: somebody has to look at it."""


@dataclass(frozen=True, slots=True)
class DueSchedule:
    """A schedule that is to be looked at now. `next_local` is its occurrence, on the clock of `zone`.

    `notification` is as it is stored, and `refusals` counts the occurrences refused since one was not.
    """

    id: UUID
    owner: str
    sandbox: bool
    rrule: str
    start_at_local: datetime
    time_zone: str | None
    notification: dict[str, Any]
    zone: str
    next_local: datetime
    refusals: int


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of a schedule: `rows` are sent, or a `problem` is in the way, or neither is due.

    Without a `following` occurrence it ends. `skipped` were missed. `counted` is what the rows took from the
    limits of the schedule's key; `limited`: that these are used up is the problem.
    """

    schedule: DueSchedule
    zone: str
    following: Occurrence | None
    rows: tuple[NewRow, ...] = ()
    skipped: int = 0
    problem: ScheduleProblem | None = None
    limited: bool = False
    counted: Counted | None = None

    @property
    def refusals(self) -> int:
        """How many occurrences in a row were refused for what they are, with this one.

        A limit that is used up says nothing of the schedule, and is free again without anybody's doing.
        """
        if self.problem is not None and not self.limited:
            return self.schedule.refusals + 1
        return 0 if self.rows else self.schedule.refusals

    @property
    def status(self) -> ScheduleStatus:
        """What the schedule is from now on."""
        if self.following is None:
            return ScheduleStatus.ENDED
        return ScheduleStatus.PAUSED if self.refusals >= MOST_REFUSALS else ScheduleStatus.ACTIVE


class WorkingStore:
    """Schedules, to make notifications of."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lease_due(self, *, limit: int, lease: timedelta) -> list[DueSchedule]:
        """Schedules that are due; no other gateway looks at them for `lease`."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            rows = await connection.fetch(_LEASE_DUE, now(), now() + lease, limit)
        return [DueSchedule(**row) for row in rows]

    async def commit(self, steps: Sequence[Step]) -> list[Step]:
        """Take the notifications and move the schedules on; returns the steps that still fitted.

        Meanwhile a schedule may have been paused or ended, or another gateway may have been faster.
        """
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            rows = await connection.fetch(_LOCK, [one.schedule.id for one in steps])
            present = {row["id"]: row["next_local"] for row in rows}
            fitting = [one for one in steps if present.get(one.schedule.id) == one.schedule.next_local]
            await add_notifications(connection, [row for one in fitting for row in one.rows])
            await connection.executemany(_MOVE_ON, [_columns(one) for one in fitting])
            for one in fitting:
                await _record_pause(connection, one)
        return fitting


def _columns(step: Step) -> list[Any]:
    active = step.status is ScheduleStatus.ACTIVE
    local, at = step.following if step.following is not None and active else (None, None)
    because = _because(step.problem) if step.status is ScheduleStatus.PAUSED and step.problem else None
    return [
        step.schedule.id,
        step.zone,
        local,
        at,
        step.status,
        because,
        int(bool(step.rows)),
        step.skipped + int(step.problem is not None),
        step.refusals,
        msgspec.to_builtins(step.problem),
        now(),
    ]


def _because(problem: ScheduleProblem) -> str:
    return (
        f"{MOST_REFUSALS} occurrences in a row were refused, the last with {problem.code}: {problem.detail}"
    )


async def _record_pause(connection: Connection, step: Step) -> None:
    if step.status is ScheduleStatus.PAUSED and step.problem is not None:
        detail = {"because": _because(step.problem)}
        await record_audit(connection, "gateway", "schedule.paused", str(step.schedule.id), detail)


_LEASE_DUE = """
update schedules set due_at = $2
where id in (select id from schedules where due_at <= $1 order by due_at limit $3 for update skip locked)
returning id, owner, sandbox, rrule, start_at_local, time_zone, notification, zone, next_local, refusals
"""
_LOCK = """
select id, next_local from schedules where id = any($1::uuid[]) and status = 'active' order by id for update
"""
_MOVE_ON = """
update schedules
set zone = $2, next_local = $3, next_at = $4, due_at = $4, status = $5, paused_because = $6,
    made = made + $7, skipped = skipped + $8, refusals = $9, last_problem = coalesce($10, last_problem),
    updated_at = $11
where id = $1
"""
