"""Layouts and pieces in PostgreSQL, as they are now."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from tidings.contracts.templates import Partial
from tidings.kit.audit.store import record
from tidings.kit.database import Connection, Database
from tidings.kit.ids import now

SHOWN_USERS = 20


@dataclass(frozen=True, slots=True)
class HeldPartial:
    """A partial's place that nobody but `actor` can write to for as long as its transaction lasts.

    Each change is recorded in the audit log.
    """

    connection: Connection
    name: str
    actor: str
    stored: Partial | None

    async def save(self, source: str) -> Partial:
        """Write the partial; the same source again changes nothing, not even its time."""
        if self.stored is not None and self.stored.source == source:
            return self.stored
        (row,) = await self.connection.fetch(_SAVE, self.name, source, now())
        action = "partial.created" if self.stored is None else "partial.replaced"
        await record(self.connection, self.actor, action, self.name)
        return msgspec.convert(dict(row), Partial)

    async def users(self) -> list[str]:
        """The ids of the first templates whose draft or newest version uses it, archived ones left out."""
        rows = await self.connection.fetch(_USERS, self.name, SHOWN_USERS)
        return [row["id"] for row in rows]

    async def delete(self) -> None:
        """Delete the partial. Published versions keep the source they were published with."""
        await self.connection.execute(_DELETE, self.name)
        await record(self.connection, self.actor, "partial.deleted", self.name)


class PartialStore:
    """Partials by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sources(self) -> dict[str, str]:
        """Every partial's source, by name."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_SOURCES)
        return {row["name"]: row["source"] for row in rows}

    async def find(self, name: str) -> Partial | None:
        """One partial."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_FIND, name)
        return None if row is None else msgspec.convert(dict(row), Partial)

    async def page(self, *, after: str | None, limit: int) -> list[Partial]:
        """At most `limit` partials by name."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_PAGE, after, limit)
        return [msgspec.convert(dict(row), Partial) for row in rows]

    @asynccontextmanager
    async def hold(self, name: str, *, actor: str) -> AsyncIterator[HeldPartial]:
        """A partial as it is, or the place where it may be, to write to. Those who meet take turns."""
        async with self._database.transaction() as connection:
            # A row that is not there yet cannot be locked, so the name is.
            await connection.execute(_LOCK, name)
            row = await connection.fetchrow(_FIND, name)
            stored = None if row is None else msgspec.convert(dict(row), Partial)
            yield HeldPartial(connection, name, actor, stored)


_LOCK = "select pg_advisory_xact_lock(hashtextextended('tidings.partials.' || $1, 0))"
_SOURCES = "select name, source from partials"
_FIND = "select name, source, updated_at from partials where name = $1"
_PAGE = """
    select name, source, updated_at from partials
    where $1::text is null or name > $1 order by name limit $2
"""
_SAVE = """
    insert into partials (name, source, updated_at) values ($1, $2, $3)
    on conflict (name) do update set source = excluded.source, updated_at = excluded.updated_at
    returning name, source, updated_at
"""
_DELETE = "delete from partials where name = $1"
_USERS = """
    select t.id from templates t
    left join versions v on v.template_id = t.id and v.version = t.newest
    left join drafts d on d.template_id = t.id
    where t.archived_at is null and (v.partials ? $1 or d.partials ? $1)
    order by t.id limit $2
"""
