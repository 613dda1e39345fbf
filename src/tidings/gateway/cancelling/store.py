"""All SQL on cancels: which notifications are meant, and the move to `cancelled`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from tidings.contracts.cancels import MAX_CANCELS, NewCancels
from tidings.contracts.codes import Status
from tidings.contracts.messages import StatusEvent
from tidings.gateway.callbacks.outbox import CallbackOutbox
from tidings.gateway.channels.deciding import First
from tidings.gateway.channels.store import follow
from tidings.gateway.spans import span_of
from tidings.kit.audit.store import record as audit
from tidings.kit.database import USE_SECONDS, Connection, Database
from tidings.kit.ids import now

MANY_SECONDS = 5.0
"""How long a caller may wait for many to be cancelled."""
_WAITING = [status for status in Status if not status.settled]


@dataclass(frozen=True, slots=True)
class Terms:
    """Why notifications are cancelled; for many at once also who asked, and for which."""

    reason: str | None
    actor: str | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A notification and its state."""

    id: UUID
    request_id: str
    status: Status


@dataclass(frozen=True, slots=True)
class Selection:
    """What a request for many means: up to 1,000 ids, how many more wait, and what nobody knows."""

    ids: list[UUID]
    left: int
    unknown: list[str]


class CancelStore:
    """Notifications, to be cancelled."""

    def __init__(self, database: Database, outbox: CallbackOutbox) -> None:
        self._database = database
        self._outbox = outbox

    async def select(self, wanted: NewCancels) -> Selection:
        """The notifications that are meant, those that wait first, and then the oldest first."""
        condition, value = _condition(wanted)
        async with self._database.connection(limit=MANY_SECONDS) as connection:
            rows = await connection.fetch(_SELECT.format(condition=condition), value, _WAITING, MAX_CANCELS)
            unknown = await connection.fetch(_UNKNOWN, wanted.request_ids or [])
        ids = [row["id"] for row in rows]
        waiting = rows[0]["all_waiting"] if rows else 0
        left = waiting - sum(row["waiting"] for row in rows)
        return Selection(ids, left, [row["request_id"] for row in unknown])

    async def cancel(
        self, ids: Sequence[UUID], barred: Collection[UUID], terms: Terms
    ) -> dict[UUID, Standing]:
        """Cancel, in one transaction, what no worker can have; returns how all of `ids` stand after it.

        That is what the sweeper has not touched yet, and what is `barred` in the ledger. What is settled
        stays as it is, and ids of no notification are left out.
        """
        async with self._database.transaction(
            limit=USE_SECONDS if len(ids) == 1 else MANY_SECONDS
        ) as connection:
            rows = await connection.fetch(_LOCK, *span_of(ids), _WAITING)
            moving = [row for row in rows if row["waiting"] and (row["untouched"] or row["id"] in barred)]
            if moving:
                await self._move(connection, moving, terms)
            late = [row["id"] for row in rows if row["id"] in barred and not row["waiting"]]
            if late and terms.reason:
                await connection.execute(_EXPLAIN, *span_of(late), terms.reason)
        self._outbox.announce()
        moved = {row["id"] for row in moving}
        return {row["id"]: _standing(row, moved) for row in rows}

    async def _move(self, connection: Connection, rows: Sequence[asyncpg.Record], terms: Terms) -> None:
        moment, span = now(), span_of(row["id"] for row in rows)
        await connection.execute(_MOVE, *span, moment)
        await connection.execute(_NOTE, span.ids, moment, terms.reason)
        firsts = [
            First.of(row["fallback_id"], Status.CANCELLED, None, ()) for row in rows if row["fallback_id"]
        ]
        followed = await follow(connection, firsts)
        moves = [
            StatusEvent(notification_id=one, status=Status.CANCELLED, at=moment, detail=terms.reason)
            for one in span.ids
        ]
        await self._outbox.record(connection, moves=[*moves, *followed])
        if terms.actor is not None:
            # Without the reason: it may name a person, and the audit log is never erased.
            detail = {"cancelled": len(rows)}
            await audit(connection, terms.actor, "notifications.cancelled", terms.subject, detail)


def _condition(wanted: NewCancels) -> tuple[str, object]:
    if wanted.group_id is not None:
        return "(id = $1 or group_id = $1)", wanted.group_id
    if wanted.schedule_id is not None:
        # All that it has ever made would be too much.
        return "schedule_id = $1 and status = any($2::text[])", wanted.schedule_id
    return "request_id = any($1::text[])", wanted.request_ids


def _standing(row: asyncpg.Record, moved: Collection[UUID]) -> Standing:
    status = Status.CANCELLED if row["id"] in moved else Status(row["status"])
    return Standing(row["id"], row["request_id"], status)


_SELECT = """
select id, waiting, count(*) filter (where waiting) over () as all_waiting from (
    select id, status = any($2::text[]) as waiting from notifications where {condition}
) as meant
order by waiting desc, id limit $3
"""
_UNKNOWN = """
select request_id from unnest($1::text[]) as wanted (request_id)
where not exists (select from notifications n where n.request_id = wanted.request_id)
"""
# The sweeper changes `dispatch_at` of what it takes, before the broker can have it.
_LOCK = """
select id, request_id, status, fallback_id, status = any($4::text[]) as waiting,
    status = 'scheduled' and dispatch_at = send_at as untouched
from notifications where id = any($1::uuid[]) and id between $2 and $3 order by id for update
"""
_MOVE = """
update notifications set status = 'cancelled', reason = null, dispatch_at = null, updated_at = $4
where id = any($1::uuid[]) and id between $2 and $3
"""
_NOTE = """
insert into events (notification_id, attempt, status, at, detail)
select id, 0, 'cancelled', $2, $3 from unnest($1::uuid[]) as cancelled (id)
on conflict do nothing
"""
# A worker that met a barred notification may have told of it first, and does not know why.
_EXPLAIN = """
update events set detail = $4
where notification_id = any($1::uuid[]) and notification_id between $2 and $3
    and attempt = 0 and status = 'cancelled' and detail is null
"""
