from collections.abc import Mapping
from typing import Any

import msgspec

from tidings.contracts.codes import Channel
from tidings.contracts.http import Template, TemplateContent, TemplateVersion
from tidings.kit.database import Connection, Database
from tidings.kit.ids import now

MAX_VERSION = 2**31 - 1

_COLUMNS = "template_id as id, version, default_locale, content, variables, created_at"
_ADD_VERSION = f"""
    insert into versions (template_id, version, default_locale, content, variables, created_at)
    values ($1, $2, $3, $4, $5, $6) returning {_COLUMNS}
"""  # noqa: S608 - column names of our own

Variables = Mapping[Channel, list[str]]


class TemplateStore:
    """Templates in PostgreSQL. Versions are only ever added."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, template_id: str, content: TemplateContent, variables: Variables
    ) -> Template | None:
        """A template's version 1; None when the id is taken."""
        async with self._database.transaction() as connection:
            created = await connection.fetchval(
                "insert into templates (id, newest) values ($1, 1) on conflict do nothing returning true",
                template_id,
            )
            return await _add(connection, template_id, 1, content, variables) if created else None

    async def replace(
        self, template_id: str, content: TemplateContent, variables: Variables
    ) -> Template | None:
        """The next version, or the newest when it says the same already; None for an unknown template."""
        async with self._database.transaction() as connection:
            # The lock makes writers take turns, so that versions are consecutive.
            newest = await connection.fetchval(
                "select newest from templates where id = $1 for update", template_id
            )
            if newest is None:
                return None
            same = await connection.fetchrow(
                f"""
                select {_COLUMNS} from versions
                where template_id = $1 and version = $2 and default_locale = $3 and content = $4
                """,  # noqa: S608 - column names of our own
                template_id,
                newest,
                content.default_locale,
                content.content,
            )
            if same is not None:
                return _template(same)
            await connection.execute(
                "update templates set newest = $2 where id = $1", template_id, newest + 1
            )
            return await _add(connection, template_id, newest + 1, content, variables)

    async def find(self, template_id: str, version: int | None) -> Template | None:
        """A version, or the newest."""
        if version is not None and version > MAX_VERSION:
            return None
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                f"""
                select {_COLUMNS} from versions
                where template_id = $1
                  and version = coalesce($2, (select newest from templates where id = $1))
                """,  # noqa: S608 - column names of our own
                template_id,
                version,
            )
        return None if row is None else _template(row)

    async def exists(self, template_id: str) -> bool:
        """Whether there is a template of this id, in any version."""
        async with self._database.connection() as connection:
            found = await connection.fetchval("select true from templates where id = $1", template_id)
        return found is not None

    async def history(self, template_id: str, *, before: int | None, limit: int) -> list[TemplateVersion]:
        """At most `limit` versions older than `before`, newest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                """
                select version, created_at from versions
                where template_id = $1 and ($2::integer is null or version < $2)
                order by version desc limit $3
                """,
                template_id,
                before,
                limit,
            )
        return [TemplateVersion(version=row["version"], created_at=row["created_at"]) for row in rows]


async def _add(
    connection: Connection, template_id: str, version: int, content: TemplateContent, variables: Variables
) -> Template:
    row = await connection.fetchrow(
        _ADD_VERSION, template_id, version, content.default_locale, content.content, variables, now()
    )
    return _template(row)


def _template(row: Any) -> Template:  # noqa: ANN401 - asyncpg's rows are untyped
    return msgspec.convert(dict(row), Template)
