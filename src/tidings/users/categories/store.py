"""All SQL about categories."""

import asyncpg
import msgspec

from tidings.contracts.users import Category, NewCategory
from tidings.kit.audit.store import record
from tidings.kit.database import Connection, Database
from tidings.kit.errors import Conflict

BUILT_IN = frozenset({"transactional", "security"})
"""Required for ever: what services must be able to tell a person."""
MAX_CATEGORIES = 200
"""They all travel with every look-up of contacts."""

_READ_ALL = "select * from categories"
_READ = "select * from categories where id = $1"
_PAGE = "select * from categories where $1::text is null or id > $1 order by id limit $2"
# Readers go on; of two writers the second waits, so that none counts what the other has not committed.
_ONE_WRITER = "lock table categories in share row exclusive mode"
_COUNT = "select count(*), count(*) filter (where id = $1) as known from categories"
_PUT = """
    insert into categories (id, name, description, required, email, push)
    values ($1, $2, $3, $4, $5, $6)
    on conflict (id) do update set
        name = excluded.name, description = excluded.description, required = excluded.required,
        email = excluded.email, push = excluded.push
    returning *
"""
_REMOVE = "delete from categories where id = $1 returning true"


class CategoryStore:
    """The kinds of notification that people may switch on and off."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[str, Category]:
        """Every category by its id; there are at most 200."""
        async with self._database.connection() as connection:
            return await categories_by_id(connection)

    async def page(self, *, after: str | None, limit: int) -> list[Category]:
        """Categories by id, from the one that follows `after`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_PAGE, after, limit)
        return [_category(row) for row in rows]

    async def find(self, category_id: str) -> Category | None:
        """One category."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_READ, category_id)
        return None if row is None else _category(row)

    async def put(self, category_id: str, new: NewCategory, *, actor: str) -> tuple[Category, bool]:
        """Add or replace a category; also says whether it is new.

        Raises:
            Conflict: a built-in category would no longer be required, or there are 200 already.
        """
        if category_id in BUILT_IN and not new.required:
            raise _built_in(category_id)
        fields = (new.name, new.description, new.required, new.email, new.push)
        async with self._database.transaction() as connection:
            await connection.execute(_ONE_WRITER)
            (counts,) = await connection.fetch(_COUNT, category_id)
            if not counts["known"] and counts["count"] >= MAX_CATEGORIES:
                raise Conflict(
                    f"There are {MAX_CATEGORIES} categories, which is the most; delete one first",
                    code="too_many_categories",
                )
            (row,) = await connection.fetch(_PUT, category_id, *fields)
            action = "category.replaced" if counts["known"] else "category.created"
            await record(connection, actor, action, category_id, msgspec.structs.asdict(new))
        return _category(row), not counts["known"]

    async def remove(self, category_id: str, *, actor: str) -> None:
        """Delete a category; one that is not there stays away. What people chose for it is kept.

        Raises:
            Conflict: it is built in.
        """
        if category_id in BUILT_IN:
            raise _built_in(category_id)
        async with self._database.transaction() as connection:
            if await connection.fetchval(_REMOVE, category_id):
                await record(connection, actor, "category.deleted", category_id)


async def categories_by_id(connection: Connection) -> dict[str, Category]:
    """Every category, as the transaction of `connection` sees them."""
    rows = await connection.fetch(_READ_ALL)
    return {row["id"]: _category(row) for row in rows}


def _category(row: asyncpg.Record) -> Category:
    return msgspec.convert(dict(row), Category)


def _built_in(category_id: str) -> Conflict:
    words = f"The category {category_id} is built in: it stays, and stays required"
    return Conflict(words, code="built_in_category")
