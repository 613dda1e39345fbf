"""All SQL that takes personal data out of what is kept, in the tables that hold it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from tidings.contracts.codes import Status
from tidings.gateway.data_life.partition_store import SETTLED
from tidings.gateway.data_life.redacting import (
    ERASED,
    redacted_callback,
    redacted_log,
    redacted_message,
)
from tidings.gateway.data_life.weeks import first_id
from tidings.gateway.spans import span_of
from tidings.kit.broker.deadletters import DETAIL
from tidings.kit.database import Connection, Database
from tidings.kit.ids import now

BATCH_SECONDS: Final = 30.0


class RedactionStore:
    """What is old enough to be redacted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def redact_notifications(self, older_than: datetime, *, limit: int) -> int:
        """Redact the next notifications that are that old; returns how many were looked at.

        Those that are not settled are remembered for `redact_put_off`. Another gateway that is at it does
        the work alone.
        """
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            if not await connection.fetchval(_ALONE):
                return 0
            position = await connection.fetchval(_POSITION)
            rows = await connection.fetch(_NEXT, position, first_id(older_than), limit)
            if not rows:
                return 0
            await redact(connection, [row["id"] for row in rows if _is_due(row)], erased=False)
            unsettled = [row["id"] for row in rows if not Status(row["status"]).settled]
            await connection.execute(_PUT_OFF, unsettled)
            await connection.execute(_MOVE_ON, rows[-1]["id"])
        return len(rows)

    async def redact_put_off(self, *, limit: int) -> int:
        """Redact those that have settled by now; returns how many."""
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            rows = await connection.fetch(_TAKE_PUT_OFF, SETTLED, limit)
            await redact(connection, [row["id"] for row in rows if row["there"]], erased=False)
        return len(rows)

    async def redact_dead_letters(self, older_than: datetime, *, limit: int) -> int:
        """Redact the next dead letters that are that old; returns how many."""
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            rows = await connection.fetch(_OLD_LETTERS, first_id(older_than), limit)
            await redact_letters(connection, rows, erased=False)
        return len(rows)


async def redact(connection: Connection, ids: Sequence[UUID], *, erased: bool) -> None:
    """Redact settled notifications and all that goes with them, in the transaction of `connection`.

    `erased`: the person is, so nothing may lead to them any more.
    """
    if not ids:
        return
    span = span_of(ids)
    await connection.fetch(_LOCK, *span)
    await connection.execute(_NOTIFICATIONS, *span, now(), erased, ERASED)
    await connection.execute(_EVENTS, *span, erased)
    await connection.execute(_ATTACHMENTS, span.ids)
    await redact_letters(connection, await connection.fetch(_LETTERS_OF, span.ids), erased=erased)
    await _redact_callbacks(connection, span.ids, erased=erased)


async def redact_letters(connection: Connection, rows: Sequence[asyncpg.Record], *, erased: bool) -> None:
    """Redact dead letters: rows with their `id` and `body`, which are locked."""
    changed = [(row["id"], redacted_message(row["body"], erased=erased)) for row in rows]
    if changed:
        columns = map(list, zip(*changed, strict=True))
        await connection.execute(_LETTERS, *columns, now(), DETAIL, erased, ERASED)


async def _redact_callbacks(connection: Connection, ids: Sequence[UUID], *, erased: bool) -> None:
    rows = await connection.fetch(_CALLBACKS_OF, list(ids))
    changed = [
        (row["id"], redacted_callback(row["body"], erased=erased), redacted_log(row["log"])) for row in rows
    ]
    if changed:
        await connection.execute(_CALLBACKS, *map(list, zip(*changed, strict=True)))


def _is_due(row: asyncpg.Record) -> bool:
    return Status(row["status"]).settled and row["redacted_at"] is None


# Not the lock of the row, which whoever hears of an erasure has for a moment.
_ALONE = "select pg_try_advisory_xact_lock(hashtext(current_schema || '.redaction'))"
_POSITION = "select redacted_up_to from data_life"
_MOVE_ON = "update data_life set redacted_up_to = $1"
_NEXT = """
select id, status, redacted_at from notifications where id > $1 and id < $2 order by id limit $3
"""
_PUT_OFF = """
insert into redactions_put_off (notification_id) select * from unnest($1::uuid[]) on conflict do nothing
"""
_TAKE_PUT_OFF = """
with ready as (
    select p.notification_id, n.id is not null as there
    from redactions_put_off p left join notifications n on n.id = p.notification_id
    where n.id is null or n.status = any($1::text[])
    limit $2 for update of p skip locked
), gone as (
    delete from redactions_put_off where notification_id in (select notification_id from ready)
)
select notification_id as id, there from ready
"""
_LOCK = """
select from notifications where id = any($1::uuid[]) and id between $2 and $3 order by id for update
"""
_NOTIFICATIONS = """
update notifications
set message = message || '{"variables": {}, "metadata": {}, "email": null}'
        || case when $5 then jsonb_build_object('user_id', $6::text) else '{}' end,
    user_id = case when $5 then $6 else user_id end,
    redacted_at = coalesce(redacted_at, $4)
where id = any($1::uuid[]) and id between $2 and $3
"""
# A provider's reference finds the message in the provider's own records: of use while there is a person to
# ask for. A trace holds nothing personal, but tells of a person's habits, such as quiet hours.
_EVENTS = """
update events
set detail = null,
    provider_ref = case when $4 then null else provider_ref end,
    trace = case when $4 then (select jsonb_agg(d - 2) from jsonb_array_elements(trace) d) else trace end
where notification_id = any($1::uuid[]) and notification_id between $2 and $3
    and (detail is not null or $4 and (provider_ref is not null or trace is not null))
"""
_ATTACHMENTS = "delete from attachments where notification_id = any($1::uuid[])"
_LETTERS_OF = """
select id, body from dead_letters where notification_id = any($1::uuid[]) order by id for update
"""
_OLD_LETTERS = """
select id, body from dead_letters where id < $1 and redacted_at is null
order by id limit $2 for update skip locked
"""
# The cause, which has no ids, addresses and numbers, stays for the counts of groups. The revision ends
# replays that were being prepared of the letter as it was.
_LETTERS = """
update dead_letters d
set body = r.body, detail = '', edits = null, headers = d.headers - $4::text,
    cause = case when $5 then '' else d.cause end,
    user_id = case when $5 then $6 else d.user_id end,
    redacted_at = coalesce(d.redacted_at, $3), revision = d.revision + 1
from unnest($1::uuid[], $2::bytea[]) as r (id, body) where d.id = r.id
"""
_CALLBACKS_OF = """
select id, body, log from callback_deliveries where notification_id = any($1::uuid[]) order by id for update
"""
_CALLBACKS = """
update callback_deliveries d set body = r.body, log = r.log
from unnest($1::uuid[], $2::bytea[], $3::jsonb[]) as r (id, body, log) where d.id = r.id
"""
