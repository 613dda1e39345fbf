"""All SQL on people who were erased: what was heard of them, and what is done about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import StatusEvent
from tidings.contracts.users import Erasure
from tidings.gateway.callbacks.outbox import CallbackOutbox
from tidings.gateway.data_life.partition_store import ACTOR, SETTLED
from tidings.gateway.data_life.redacting import ERASED
from tidings.gateway.data_life.redaction_store import redact, redact_letters
from tidings.gateway.schedules.store import end_for_erased
from tidings.gateway.spans import span_of
from tidings.kit.audit.store import record as audit
from tidings.kit.database import Connection, Database
from tidings.kit.ids import now

BATCH_SECONDS: Final = 30.0
BATCH: Final = 200
"""How many notifications of a person are dealt with in one transaction."""
STRAGGLERS: Final = timedelta(days=7)
"""How long something of an erased person may still come in: a dead letter, or what nobody checked."""
LOOK_AGAIN: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done about one person in one go.

    `whole`: nothing is left for now. `first`: and it is the first time that nothing is.
    """

    user_id: UUID
    cancelled: int
    redacted: int
    whole: bool
    first: bool


class ErasureStore:
    """People who were erased."""

    def __init__(self, database: Database, outbox: CallbackOutbox) -> None:
        self._database = database
        self._outbox = outbox

    async def heard_up_to(self) -> int:
        """The number of the last erasure that was heard of."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            number: int = await connection.fetchval("select heard_up_to from data_life")
        return number

    async def hear(self, erasures: Sequence[Erasure]) -> None:
        """Remember erasures until they are applied; hearing of one twice changes nothing."""
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            ids, moments = [one.user_id for one in erasures], [one.erased_at for one in erasures]
            await connection.execute(_HEAR, ids, moments, now())
            await connection.execute(_HEARD, erasures[-1].number)

    async def apply_next(self, *, unsettled_after: timedelta) -> Applied | None:
        """Do what can be done about the next person; None: about nobody, now.

        Their schedules end, what waits for its time is cancelled, and what is settled is redacted, with the
        person's id. What is under way is looked at again `unsettled_after` that.
        """
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            row = await connection.fetchrow(_NEXT, now())
            if row is None:
                return None
            names = _names(row["user_id"])
            await end_for_erased(connection, names, actor=ACTOR)
            await connection.execute(_REPLAY_JOBS, names, ERASED)
            chosen = await _choose(connection, names)
            scheduled, settled = await _lock(connection, chosen)
            await self._cancel(connection, scheduled)
            redacted = [*settled, *scheduled]
            await redact(connection, redacted, erased=True)
            # Also those that came in after their notifications had been redacted.
            letters = await connection.fetch(_LETTERS, chosen.letters, names)
            await redact_letters(connection, letters, erased=True)
            first = chosen.whole and row["applied_at"] is None
            applied = Applied(row["user_id"], len(scheduled), len(redacted), chosen.whole, first)
            await _note(connection, row, names, applied, unsettled_after)
        self._outbox.announce()
        return applied

    async def _cancel(self, connection: Connection, ids: Sequence[UUID]) -> None:
        if not ids:
            return
        moment = now()
        await connection.execute(_CANCEL, *span_of(ids), moment, Reason.USER_ERASED)
        moves = [
            StatusEvent(notification_id=one, status=Status.CANCELLED, at=moment, reason=Reason.USER_ERASED)
            for one in ids
        ]
        await self._outbox.record(connection, moves=moves)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What of a person is dealt with in one go, chosen without a lock."""

    scheduled: list[UUID]
    settled: list[UUID]
    letters: list[UUID]

    @property
    def whole(self) -> bool:
        return all(len(ids) < BATCH for ids in (self.scheduled, self.settled, self.letters))


async def _choose(connection: Connection, names: Sequence[str]) -> _Chosen:
    scheduled = await connection.fetch(_SCHEDULED, names, BATCH)
    settled = await connection.fetch(_SETTLED_ONES, names, SETTLED, BATCH)
    letters = await connection.fetch(_LETTER_IDS, names, BATCH)
    return _Chosen(*([row["id"] for row in rows] for rows in (scheduled, settled, letters)))


async def _lock(connection: Connection, chosen: _Chosen) -> tuple[list[UUID], list[UUID]]:
    """Lock it all, each table at once and in the order of ids; what is still scheduled, and what settled."""
    span = span_of([*chosen.scheduled, *chosen.settled])
    rows = await connection.fetch(_LOCK, *span, SETTLED)
    await connection.execute(_LOCK_LETTERS, chosen.letters, span.ids)
    scheduled = [row["id"] for row in rows if row["untouched"]]
    return scheduled, [row["id"] for row in rows if row["settled"]]


async def _note(
    connection: Connection,
    row: asyncpg.Record,
    names: Sequence[str],
    applied: Applied,
    unsettled_after: timedelta,
) -> None:
    moment = now()
    cancelled, redacted = row["cancelled"] + applied.cancelled, row["redacted"] + applied.redacted
    again = await _next_look(connection, row, names, applied, unsettled_after)
    applied_at = moment if applied.first else row["applied_at"]
    await connection.execute(_NOTE, row["user_id"], cancelled, redacted, applied_at, again)
    if applied.first:
        detail = {"cancelled": cancelled, "redacted": redacted}
        await audit(connection, ACTOR, "user_history.erased", str(row["user_id"]), detail)


async def _next_look(
    connection: Connection,
    row: asyncpg.Record,
    names: Sequence[str],
    applied: Applied,
    unsettled_after: timedelta,
) -> datetime | None:
    if not applied.whole:
        return now()
    if await connection.fetchval(_UNSETTLED, names, SETTLED):
        return now() + unsettled_after
    return now() + LOOK_AGAIN if now() < row["erased_at"] + STRAGGLERS else None


def _names(user_id: UUID) -> list[str]:
    """The forms in which callers write a person's id."""
    text = str(user_id)
    return [text, text.upper(), user_id.hex, user_id.hex.upper(), user_id.urn, f"{{{text}}}"]


_HEAR = """
insert into erasures (user_id, erased_at, look_again_at)
select user_id, erased_at, $3 from unnest($1::uuid[], $2::timestamptz[]) as heard (user_id, erased_at)
on conflict do nothing
"""
_HEARD = "update data_life set heard_up_to = greatest(heard_up_to, $1)"
_NEXT = """
select user_id, erased_at, applied_at, cancelled, redacted from erasures where look_again_at <= $1
order by look_again_at limit 1 for update skip locked
"""
# What the sweeper has taken has another `dispatch_at`; a worker will find that there is no such person.
_SCHEDULED = """
select id from notifications
where user_id = any($1::text[]) and status = 'scheduled' and dispatch_at = send_at
order by id limit $2
"""
_CANCEL = """
with cancelled as (
    update notifications set status = 'cancelled', reason = $5, dispatch_at = null, updated_at = $4
    where id = any($1::uuid[]) and id between $2 and $3
    returning id
)
insert into events (notification_id, attempt, status, at, reason)
select id, 0, 'cancelled', $4, $5 from cancelled
on conflict do nothing
"""
_SETTLED_ONES = """
select id from notifications where user_id = any($1::text[]) and status = any($2::text[])
order by id limit $3
"""
_LETTER_IDS = "select id from dead_letters where user_id = any($1::text[]) order by id limit $2"
# One order for all who lock several, so that no two can wait for one another: replay jobs, notifications,
# dead letters, and within each table by id.
_LOCK = """
select id, status = 'scheduled' and dispatch_at = send_at as untouched, status = any($4::text[]) as settled
from notifications where id = any($1::uuid[]) and id between $2 and $3 order by id for update
"""
_LOCK_LETTERS = """
select from dead_letters where id = any($1::uuid[]) or notification_id = any($2::uuid[])
order by id for update
"""
_LETTERS = "select id, body from dead_letters where id = any($1::uuid[]) and user_id = any($2::text[])"
_REPLAY_JOBS = """
update replay_jobs set filter = jsonb_set(filter, '{user_id}', to_jsonb($2::text))
where filter ->> 'user_id' = any($1::text[])
"""
_UNSETTLED = """
select exists (select from notifications where user_id = any($1::text[]) and status <> all($2::text[]))
"""
_NOTE = """
update erasures set cancelled = $2, redacted = $3, applied_at = $4, look_again_at = $5 where user_id = $1
"""
