"""All SQL on partitions: making those of the weeks to come, listing, dropping."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from tidings.contracts.codes import Status
from tidings.gateway.data_life.weeks import Week
from tidings.kit.audit.store import record as audit
from tidings.kit.database import Connection, Database

ACTOR: Final = "tidings"
"""Who does in the audit log what nobody asked for."""
DEFAULT: Final = "default"
MAKE_SECONDS: Final = 10.0
DROP_SECONDS: Final = 300.0
"""Most of it looks, without a lock, whether anything in a week is still to be kept."""
LOCK_WAIT: Final = "200ms"
"""Whoever waits for a table makes all who come after wait as well."""
SETTLED: Final = [status for status in Status if status.settled]

_KEYS: Final = {"notifications": "id", "events": "notification_id"}


class Busy(Exception):
    """The tables were in use for longer than others could be made to wait; a later try may succeed."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of `notifications`, and the part of `events` of the same suffix.

    Its ids are from `first` (None: the least) and before `end`. Both are None of the one that has whatever
    is in no other.
    """

    suffix: str
    first: UUID | None
    end: UUID | None

    def overlaps(self, week: Week) -> bool:
        """Whether some id is in both."""
        if self.end is None:
            return False
        return self.end > week.first and (self.first is None or self.first < week.end)


class PartitionStore:
    """The parts that notifications and their events are kept in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def partitions(self) -> list[Partition]:
        """All there are, the oldest first."""
        async with self._database.connection(limit=MAKE_SECONDS) as connection:
            return await _partitions(connection)

    async def make(self, weeks: Sequence[Week]) -> list[Week]:
        """Make the partitions that are not there yet; returns their weeks.

        What is in the default partition of such a week moves over.

        Raises:
            Busy: the default partition could not be locked at once.
        """
        made = []
        for week in weeks:
            async with self._database.transaction(limit=MAKE_SECONDS) as connection:
                # Gateways that start at once come one after another, and the later find it done.
                await connection.execute(_ALONE)
                if not any(one.overlaps(week) for one in await _partitions(connection)):
                    await _locking(connection, _default_tables())
                    for table, key in _KEYS.items():
                        await _make(connection, table, key, week)
                    made.append(week)
        return made

    async def rows_outside(self, most: int) -> int:
        """How many notifications are in no week's partition, counted up to `most`."""
        async with self._database.connection(limit=MAKE_SECONDS) as connection:
            count: int = await connection.fetchval(_COUNT_OUTSIDE, most)
        return count

    async def drop(self, partition: Partition, *, unchanged_since: datetime) -> int | None:
        """Drop a partition of which everything is settled, and nothing changed later than that.

        Returns:
            How many notifications are gone; None: some are to be kept.

        Raises:
            Busy: the tables could not be locked at once, or another gateway is at it.
        """
        table = f"notifications_{partition.suffix}"
        async with self._database.transaction(limit=DROP_SECONDS) as connection:
            if not await connection.fetchval(_TRY_ALONE):
                raise Busy("another gateway makes or drops partitions")
            if await connection.fetchval("select to_regclass($1)", table) is None:
                raise Busy("another gateway has dropped it")
            if await connection.fetchval(_KEPT.format(table=table), unchanged_since, SETTLED):
                return None
            count: int = await connection.fetchval(f"select count(*) from {table}")  # noqa: S608 - from the catalog
            # In the order in which whoever writes locks them.
            await _locking(connection, list(_KEYS))
            await connection.execute(f"drop table events_{partition.suffix}, {table}")
            detail = {"first": partition.first, "end": partition.end, "notifications": count}
            await audit(connection, ACTOR, "partition.dropped", table, detail)
        return count


def _default_tables() -> list[str]:
    return [f"{table}_{DEFAULT}" for table in _KEYS]


async def _partitions(connection: Connection) -> list[Partition]:
    rows = await connection.fetch(_LIST)
    found = [Partition(row["suffix"], row["first"], row["end"]) for row in rows]
    return sorted(found, key=lambda one: (one.end is None, one.end or UUID(int=0)))


async def _locking(connection: Connection, tables: Sequence[str]) -> None:
    await connection.execute(f"set local lock_timeout = '{LOCK_WAIT}'")
    try:
        for table in tables:
            await connection.execute(f"lock table {table} in access exclusive mode")
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
        raise Busy(str(error)) from error
    await connection.execute("set local lock_timeout = 0")


async def _make(connection: Connection, table: str, key: str, week: Week) -> None:
    # Made apart and attached, it locks the default partition only, and that is as good as never used.
    part = f"{table}_{week.suffix}"
    await connection.execute(f"create table {part} (like {table} including defaults)")
    await connection.execute(
        f"""
        with its as (delete from {table}_default where {key} >= $1 and {key} < $2 returning *)
        insert into {part} select * from its
        """,  # noqa: S608 - our own names
        week.first,
        week.end,
    )
    await connection.execute(
        f"alter table {table} attach partition {part} for values from ('{week.first}') to ('{week.end}')"
    )


_ALONE = "select pg_advisory_xact_lock(hashtext(current_schema || '.partitions'))"
_TRY_ALONE = "select pg_try_advisory_xact_lock(hashtext(current_schema || '.partitions'))"
_LIST = """
select substring(part.relname from 'notifications_(.*)') as suffix,
    substring(bound from $$FROM \\('([0-9a-f-]{36})'$$)::uuid as first,
    substring(bound from $$TO \\('([0-9a-f-]{36})'$$)::uuid as end
from pg_inherits
join pg_class part on part.oid = inhrelid
cross join lateral pg_get_expr(part.relpartbound, part.oid) as bound
where inhparent = 'notifications'::regclass
"""
_COUNT_OUTSIDE = "select count(*) from (select from notifications_default limit $1) as outside"
_KEPT = """
select exists (
    select from {table}
    where status <> all($2::text[]) or dispatch_at is not null or updated_at >= $1
)
"""
