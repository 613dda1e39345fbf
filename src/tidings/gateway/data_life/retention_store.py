"""All SQL that deletes what is older than it is kept, row by row, where a partition cannot go as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tidings.gateway.data_life.partition_store import SETTLED, Partition
from tidings.gateway.data_life.weeks import first_id
from tidings.gateway.spans import span_of
from tidings.kit.database import Connection, Database

BATCH_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Removal:
    """One batch: how many rows are gone, and after which id the next batch begins (None: it was the last)."""

    count: int
    after: UUID | None


class RetentionStore:
    """What is too old."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remove_settled(
        self, partition: Partition, *, older_than: datetime, after: UUID, limit: int
    ) -> Removal:
        """Delete a partition's next notifications that are settled and that nothing has changed since."""
        statement = _TAKE.format(table=f"notifications_{partition.suffix}")
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            rows = await connection.fetch(statement, after, first_id(older_than), SETTLED, older_than, limit)
            ids = [row["id"] for row in rows]
            if ids:
                await _delete(connection, ids)
        return Removal(len(ids), ids[-1] if len(ids) == limit else None)

    async def remove_attachments(self, older_than: datetime, *, limit: int) -> int:
        """Delete files whose notifications are gone, unless a dead letter may still need them."""
        return await self._remove(_ATTACHMENTS, first_id(older_than), limit)

    async def remove_dead_letters(self, older_than: datetime, *, limit: int) -> int:
        """Delete dead letters that were recorded before."""
        return await self._remove(_DEAD_LETTERS, first_id(older_than), limit)

    async def remove_replay_jobs(self, older_than: datetime, *, limit: int) -> int:
        """Delete what is known of replays that ended before."""
        return await self._remove(_REPLAY_JOBS, older_than, limit)

    async def remove_schedules(self, older_than: datetime, *, limit: int) -> int:
        """Delete schedules that ended before."""
        return await self._remove(_SCHEDULES, older_than, limit)

    async def _remove(self, statement: str, older_than: UUID | datetime, limit: int) -> int:
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            return len(await connection.fetch(statement, older_than, limit))


async def _delete(connection: Connection, ids: Sequence[UUID]) -> None:
    span = span_of(ids)
    await connection.execute(_DELETE_EVENTS, *span)
    await connection.execute(_DELETE, *span)


_TAKE = """
select id from {table}
where id > $1 and id < $2 and status = any($3::text[]) and updated_at < $4 and dispatch_at is null
order by id limit $5 for update skip locked
"""
_DELETE_EVENTS = """
delete from events where notification_id = any($1::uuid[]) and notification_id between $2 and $3
"""
_DELETE = "delete from notifications where id = any($1::uuid[]) and id between $2 and $3"
_ATTACHMENTS = """
delete from attachments where id in (
    select id from attachments a
    where notification_id < $1
        and not exists (select from notifications n where n.id = a.notification_id and n.id < $1)
        and not exists (select from dead_letters d where d.notification_id = a.notification_id)
    limit $2 for update skip locked
)
returning 1
"""
_DEAD_LETTERS = """
delete from dead_letters where id in (
    select id from dead_letters where id < $1 order by id limit $2 for update skip locked
)
returning 1
"""
_REPLAY_JOBS = """
delete from replay_jobs where id in (
    select id from replay_jobs where finished_at < $1 limit $2 for update skip locked
)
returning 1
"""
# Nothing changes one that has ended, but erasing its recipient, once.
_SCHEDULES = """
delete from schedules where id in (
    select id from schedules where status = 'ended' and updated_at < $1 limit $2 for update skip locked
)
returning 1
"""
