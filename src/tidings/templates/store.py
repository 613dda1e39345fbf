"""Reading templates and their versions from PostgreSQL."""

from typing import Any

import msgspec

from tidings.contracts.codes import Channel
from tidings.contracts.templates import CompiledTemplate, Template, TemplateSummary, TemplateVersion
from tidings.kit.database import Connection, Database

MAX_VERSION = 2**31 - 1


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A version or draft as it was written, with the sources of the partials that it used."""

    template: Template
    partials: dict[str, str]


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """Which version of a template is the newest (0: none is published), and whether it is in the archive."""

    newest: int
    archived: bool


class TemplateStore:
    """Templates, their versions and their drafts, to read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def version(self, template_id: str, version: int | None) -> Source | None:
        """A version, or the newest."""
        if version is not None and version > MAX_VERSION:
            return None
        async with self._database.connection() as connection:
            return await read_version(connection, template_id, version)

    async def draft(self, template_id: str) -> Source | None:
        """The draft, with the partials as they were when it was saved."""
        async with self._database.connection() as connection:
            return await read_draft(connection, template_id)

    async def compiled(self, template_id: str, version: int) -> CompiledTemplate | None:
        """A version, ready to be filled in."""
        if version > MAX_VERSION:
            return None
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_COMPILED, template_id, version)
        return None if row is None else msgspec.convert(dict(row), CompiledTemplate)

    async def pointer(self, template_id: str) -> Pointer | None:
        """Where a template stands; None when there is none of this id."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_POINTER, template_id)
        return None if row is None else msgspec.convert(dict(row), Pointer)

    async def page(
        self,
        *,
        archived: bool,
        after: str | None,
        category: str | None,
        channel: Channel | None,
        search: str | None,
        limit: int,
    ) -> list[TemplateSummary]:
        """At most `limit` templates by id. `search` is looked for in ids, subjects and titles."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_PAGE, archived, after, category, channel, search, limit)
        return [msgspec.convert(dict(row), TemplateSummary) for row in rows]

    async def history(self, template_id: str, *, before: int | None, limit: int) -> list[TemplateVersion]:
        """At most `limit` versions older than `before`, newest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_HISTORY, template_id, before, limit)
        return [msgspec.convert(dict(row), TemplateVersion) for row in rows]


async def read_version(connection: Connection, template_id: str, version: int | None) -> Source | None:
    """A version, or the newest, as it stands in the transaction of `connection`."""
    row = await connection.fetchrow(_VERSION, template_id, version)
    return None if row is None else source_of(row)


async def read_draft(connection: Connection, template_id: str) -> Source | None:
    """The draft as it stands in the transaction of `connection`."""
    row = await connection.fetchrow(_DRAFT, template_id)
    return None if row is None else source_of(row)


def source_of(row: Any) -> Source:  # noqa: ANN401 - asyncpg's rows are untyped
    """What a row with the columns of `SOURCE`, `version`, `created_at` and `state` says."""
    columns = dict(row)
    return Source(partials=columns.pop("partials"), template=msgspec.convert(columns, Template))


SOURCE = """
    template_id as id, default_locale, content, category, when_ambiguous, schema, sample, variables, partials
"""

_POINTER = "select newest, archived_at is not null as archived from templates where id = $1"
_VERSION = f"""
    select {SOURCE}, version, created_at,
           case when archived_at is null then 'published' else 'archived' end as state
    from versions join templates on templates.id = template_id
    where template_id = $1 and version = coalesce($2, newest)
"""  # noqa: S608 - column names of our own
_DRAFT = f"""
    select {SOURCE}, newest + 1 as version, saved_at as created_at, 'draft' as state
    from drafts join templates on templates.id = template_id
    where template_id = $1
"""  # noqa: S608 - the same
_COMPILED = """
    select template_id as id, version, default_locale, category, when_ambiguous, schema, variables,
           coalesce(forms, content) as forms, partials
    from versions where template_id = $1 and version = $2
"""
_PAGE = """
    select t.id, t.newest as version, d.template_id is not null as draft,
           t.archived_at is not null as archived,
           coalesce(v.category, d.category) as category,
           coalesce(v.channels, d.channels) as channels,
           coalesce(v.locales, d.locales) as locales,
           greatest(v.created_at, d.saved_at, t.archived_at) as updated_at
    from templates t
    left join versions v on v.template_id = t.id and v.version = t.newest
    left join drafts d on d.template_id = t.id
    where (t.archived_at is not null) = $1
      and ($2::text is null or t.id > $2)
      and ($3::text is null or coalesce(v.category, d.category) = $3)
      and ($4::text is null or $4 = any(coalesce(v.channels, d.channels)))
      and ($5::text is null or strpos(concat_ws(' ', v.words, d.words), lower($5)) > 0)
    order by t.id limit $6
"""
_HISTORY = """
    select version, created_at from versions
    where template_id = $1 and ($2::integer is null or version < $2)
    order by version desc limit $3
"""
