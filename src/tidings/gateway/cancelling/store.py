"""All SQL that moves notifications to `cancelled`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from tidings.contracts.cancels import NewCancels
from tidings.contracts.codes import Status
from tidings.contracts.messages import StatusEvent
from tidings.gateway.callbacks.outbox import CallbackOutbox
from tidings.gateway.cancelling.selecting_store import WAITING, Selection, select
from tidings.gateway.channels.deciding import First
from tidings.gateway.channels.store import follow, with_fallbacks
from tidings.gateway.spans import span_of
from tidings.kit.audit.store import record as audit
from tidings.kit.auth import Principal
from tidings.kit.database import USE_SECONDS, Connection, Database
from tidings.kit.ids import now

MANY_SECONDS = 5.0
"""How long a caller may wait for many to be cancelled."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Why notifications are cancelled; for many at once also who asked, and for which.

    `only_tests`: a test key asked, for which there are no others.
    """

    reason: str | None
    only_tests: bool
    actor: str | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A notification and its state."""

    id: UUID
    request_id: str
    status: Status


class CancelStore:
    """Notifications, to be cancelled."""

    def __init__(self, database: Database, outbox: CallbackOutbox) -> None:
        self._database = database
        self._outbox = outbox

    async def select(self, wanted: NewCancels, caller: Principal) -> Selection:
        """The notifications that are meant, those that wait first, and then the oldest first."""
        async with self._database.transaction(limit=MANY_SECONDS) as connection:
            return await select(connection, wanted, caller)

    async def cancel(
        self, ids: Sequence[UUID], barred: Collection[UUID], terms: Terms
    ) -> dict[UUID, Standing]:
        """Cancel, in one transaction, what no worker can have; returns how all of `ids` stand after it.

        That is what the sweeper has not touched yet, and what is `barred` in the ledger. What is settled
        stays as it is, and ids of no notification are left out.
        """
        meant = set(ids)
        async with self._database.transaction(
            limit=USE_SECONDS if len(ids) == 1 else MANY_SECONDS
        ) as connection:
            locked = await connection.fetch(
                _LOCK, *await with_fallbacks(connection, ids), WAITING, terms.only_tests
            )
            rows = [row for row in locked if row["id"] in meant]
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


def _standing(row: asyncpg.Record, moved: Collection[UUID]) -> Standing:
    status = Status.CANCELLED if row["id"] in moved else Status(row["status"])
    return Standing(row["id"], row["request_id"], status)


# The sweeper changes `dispatch_at` of what it takes, before the broker can have it.
_LOCK = """
select id, request_id, status, fallback_id, status = any($4::text[]) as waiting,
    status = 'scheduled' and dispatch_at = send_at as untouched
from notifications
where id = any($1::uuid[]) and id between $2 and $3
    and (not $5::boolean or (message ->> 'sandbox')::boolean)
order by id for update
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
