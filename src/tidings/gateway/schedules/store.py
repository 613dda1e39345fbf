"""All SQL on schedules, as their owners keep them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from tidings.contracts.schedules import NewSchedule, Schedule, ScheduleStatus
from tidings.gateway.schedules.occurrences import Occurrence
from tidings.kit.audit.store import record as record_audit
from tidings.kit.auth import Principal
from tidings.kit.database import Connection, Database
from tidings.kit.ids import new_id, now

MOST_SCHEDULES = 10_000
BY_REQUEST = "It was paused by request"


@dataclass(frozen=True, slots=True)
class Kept:
    """A schedule, and what its next moments are reckoned from."""

    schedule: Schedule
    zone: str
    next_local: datetime | None


class ScheduleStore:
    """Schedules of owners. Where an `owner` is asked for, None stands for all of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, caller: Principal, new: NewSchedule, zone: str, first: Occurrence) -> Kept | None:
        """Keep a new schedule; None when its owner has as many as there may be."""
        fields = (caller.owner, caller.sandbox, new.name, new.rrule, new.start_at_local, new.time_zone)
        # Without what is not asked for: a gateway of the release before refuses members it does not know.
        asked = msgspec.to_builtins(new.notification)
        notification = {member: value for member, value in asked.items() if value is not None}
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                _INSERT, new_id(), *fields, notification, zone, *first, now(), MOST_SCHEDULES
            )
            if row is None:
                return None
            detail = {"name": new.name, "rrule": new.rrule}
            await record_audit(connection, caller.owner, "schedule.created", str(row["id"]), detail)
        return _kept(row)

    async def page(
        self, owner: str | None, *, status: ScheduleStatus | None, before: UUID | None, limit: int
    ) -> list[Schedule]:
        """Schedules, newest first, from the one that follows `before`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_PAGE, owner, status, before, limit)
        return [_kept(row).schedule for row in rows]

    async def find(self, schedule_id: UUID, owner: str | None) -> Kept | None:
        """One schedule."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_READ, schedule_id, owner)
        return None if row is None else _kept(row)

    async def pause(self, schedule_id: UUID, *, actor: str) -> bool:
        """Make no more notifications; whether it was active."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_PAUSE, schedule_id, BY_REQUEST, now())
            if row is not None:
                detail = {"because": BY_REQUEST}
                await record_audit(connection, actor, "schedule.paused", str(schedule_id), detail)
        return row is not None

    async def resume(self, schedule_id: UUID, zone: str, first: Occurrence, *, actor: str) -> bool:
        """Go on with an occurrence; whether it was paused."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_RESUME, schedule_id, zone, *first, now())
            if row is not None:
                await record_audit(connection, actor, "schedule.resumed", str(schedule_id))
        return row is not None

    async def end(self, schedule_id: UUID, *, actor: str) -> None:
        """Make no more notifications, for ever; ending it twice is harmless."""
        async with self._database.transaction() as connection:
            rows = await connection.fetch(_END + "and id = $2" + _ENDED, now(), schedule_id)
            await _record_ends(connection, rows, actor)


async def end_for_erased(connection: Connection, names: Sequence[str], *, actor: str) -> None:
    """End the schedules of a person who was erased, and forget what they say, in the caller's transaction.

    `names` are all that notifications may have as the person's `user_id`.
    """
    await connection.execute(_LOCK_OF_USER, list(names))
    rows = await connection.fetch(_END + _OF_USER + _ENDED, now(), list(names))
    await connection.execute(_FORGET + _OF_USER, now(), list(names))
    await _record_ends(connection, rows, actor)


async def _record_ends(connection: Connection, rows: Sequence[asyncpg.Record], actor: str) -> None:
    for row in rows:
        await record_audit(connection, actor, "schedule.ended", str(row["id"]), {"name": row["name"]})


def _kept(row: asyncpg.Record) -> Kept:
    fields: dict[str, Any] = dict(row)
    zone, next_local, next_at = (fields.pop(name) for name in ("zone", "next_local", "next_at"))
    fields["next_at"] = [] if next_at is None else [next_at]
    return Kept(msgspec.convert(fields, Schedule), zone, next_local)


_SHOWN = """
id, name, rrule, start_at_local, time_zone, notification, status, paused_because, zone, next_local, next_at,
made, skipped, last_problem, sandbox, created_at, updated_at
"""
_INSERT = f"""
insert into schedules
    (id, owner, sandbox, name, rrule, start_at_local, time_zone, notification, zone,
     next_local, next_at, due_at, status, created_at, updated_at)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, 'active', $12, $12
where (select count(*) from schedules where owner = $2 and status <> 'ended') < $13
returning {_SHOWN}
"""  # noqa: S608 - constants of ours
_PAGE = f"""
select {_SHOWN} from schedules
where ($1::text is null or owner = $1) and ($2::text is null or status = $2) and ($3::uuid is null or id < $3)
order by id desc limit $4
"""  # noqa: S608 - the same
_READ = f"select {_SHOWN} from schedules where id = $1 and ($2::text is null or owner = $2)"  # noqa: S608 - the same
_PAUSE = """
update schedules
set status = 'paused', paused_because = $2, next_local = null, next_at = null, due_at = null, updated_at = $3
where id = $1 and status = 'active' returning id
"""
_RESUME = """
update schedules
set status = 'active', paused_because = null, zone = $2, next_local = $3, next_at = $4, due_at = $4,
    refusals = 0, updated_at = $5
where id = $1 and status = 'paused' returning id
"""
_END = """
update schedules
set status = 'ended', paused_because = null, next_local = null, next_at = null, due_at = null, updated_at = $1
where status <> 'ended'
"""
_ENDED = " returning id, name"
# In the order in which those that are due are locked, so that the two cannot deadlock.
_LOCK_OF_USER = """
select from schedules where notification ->> 'user_id' = any($1::text[]) order by id for update
"""
_OF_USER = "and notification ->> 'user_id' = any($2::text[])"
_FORGOTTEN = """notification || '{"variables": {}, "metadata": {}, "email": null}'"""
# Once: this is looked at again for days, and what ended is kept for so long after its last change.
_FORGET = f"""
update schedules set name = null, notification = {_FORGOTTEN}, last_problem = null, updated_at = $1
where (name is not null or last_problem is not null or notification <> {_FORGOTTEN})
"""  # noqa: S608 - a constant of ours
