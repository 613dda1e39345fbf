"""Writing templates to PostgreSQL. Versions are only ever added."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tidings.contracts.templates import Template, TemplateContent
from tidings.kit.audit.store import record
from tidings.kit.database import Connection, Database
from tidings.kit.ids import now
from tidings.templates.compiling import Compiled
from tidings.templates.store import SOURCE, Source, read_draft, read_version, source_of

WRITE_SECONDS = 5.0
"""A version may be megabytes, and writers of one template take turns."""


@dataclass(frozen=True, slots=True)
class HeldTemplate:
    """A template that nobody but `actor` can write to for as long as its transaction lasts.

    Each change is recorded in the audit log.
    """

    connection: Connection
    id: str
    actor: str
    is_new: bool = False
    archived: bool = False
    newest: Source | None = None
    draft: Source | None = None

    @property
    def current(self) -> Template | None:
        """The newest version, or the draft where nothing is published; None while there is neither."""
        source = self.newest or self.draft
        return source.template if source else None

    async def publish(
        self, content: TemplateContent, compiled: Compiled, detail: Mapping[str, object] | None = None
    ) -> Template:
        """Add the next version. `detail` is what else the audit log is to say of it."""
        version = self.newest.template.version + 1 if self.newest else 1
        await self.connection.execute(_SET_NEWEST, self.id, version)
        (row,) = await self.connection.fetch(
            _ADD_VERSION, *_columns(self.id, content, compiled), version, compiled.forms, now()
        )
        action = "template.created" if self.is_new else "template.published"
        await self._record(action, {"version": version, **(detail or {})})
        return source_of(row).template

    async def publish_draft(self, content: TemplateContent, compiled: Compiled) -> Template:
        """Add the draft, of this content, as the next version."""
        await self.connection.execute(_DROP_DRAFT, self.id)
        return await self.publish(content, compiled, {"from_draft": True})

    async def save_draft(
        self, content: TemplateContent, compiled: Compiled, detail: Mapping[str, object] | None = None
    ) -> Template:
        """Write the draft, over the one there may be. `detail` as for `publish`."""
        (row,) = await self.connection.fetch(_SAVE_DRAFT, *_columns(self.id, content, compiled), now())
        action = "template.created" if self.is_new else "template.draft_saved"
        await self._record(action, {"draft": True, **(detail or {})} if self.is_new else {})
        return source_of(row).template

    async def drop_draft(self) -> None:
        """Delete the draft."""
        await self.connection.execute(_DROP_DRAFT, self.id)
        await self._record("template.draft_discarded")

    async def remove(self) -> None:
        """Delete the template and its draft. One that has versions cannot be deleted."""
        await self.connection.execute(_REMOVE, self.id)
        await self._record("template.deleted")

    async def archive(self) -> None:
        """Put the template away."""
        await self.connection.execute(_SET_ARCHIVED, self.id, now())
        await self._record("template.archived")

    async def restore(self) -> None:
        """Take the template out of the archive."""
        await self.connection.execute(_SET_ARCHIVED, self.id, None)
        await self._record("template.restored")

    async def _record(self, action: str, detail: Mapping[str, object] | None = None) -> None:
        await record(self.connection, self.actor, action, self.id, detail)


class WritingStore:
    """Opens templates for writing, each in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def add(self, template_id: str, *, actor: str) -> AsyncIterator[HeldTemplate | None]:
        """A new template to publish or draft into; None when the id is taken."""
        async with self._database.transaction(limit=WRITE_SECONDS) as connection:
            added = await connection.fetchval(_ADD_TEMPLATE, template_id)
            yield HeldTemplate(connection, template_id, actor, is_new=True) if added else None

    @asynccontextmanager
    async def hold(self, template_id: str, *, actor: str) -> AsyncIterator[HeldTemplate | None]:
        """A template as it is, to write to; None when there is none. Those who meet take turns."""
        async with self._database.transaction(limit=WRITE_SECONDS) as connection:
            row = await connection.fetchrow(_LOCK, template_id)
            if row is None:
                yield None
                return
            newest = await read_version(connection, template_id, row["newest"])
            draft = await read_draft(connection, template_id)
            yield HeldTemplate(
                connection, template_id, actor, archived=row["archived"], newest=newest, draft=draft
            )


def _columns(template_id: str, content: TemplateContent, compiled: Compiled) -> tuple[object, ...]:
    return (
        template_id,
        content.default_locale,
        content.content,
        content.category,
        content.when_ambiguous,
        content.schema,
        content.sample,
        compiled.variables,
        compiled.partials,
    )


_ADD_TEMPLATE = "insert into templates (id, newest) values ($1, 0) on conflict do nothing returning true"
_LOCK = "select newest, archived_at is not null as archived from templates where id = $1 for update"
_SET_NEWEST = "update templates set newest = $2 where id = $1"
_SET_ARCHIVED = "update templates set archived_at = $2 where id = $1"
_DROP_DRAFT = "delete from drafts where template_id = $1"
_REMOVE = "delete from templates where id = $1"

_ADD_VERSION = f"""
    insert into versions
        (template_id, default_locale, content, category, when_ambiguous, schema, sample, variables,
         partials, version, forms, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    returning {SOURCE}, version, created_at, 'published' as state
"""  # noqa: S608 - column names of our own
_SAVE_DRAFT = f"""
    insert into drafts
        (template_id, default_locale, content, category, when_ambiguous, schema, sample, variables,
         partials, saved_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    on conflict (template_id) do update set
        default_locale = excluded.default_locale, content = excluded.content,
        category = excluded.category, when_ambiguous = excluded.when_ambiguous,
        schema = excluded.schema, sample = excluded.sample, variables = excluded.variables,
        partials = excluded.partials, saved_at = excluded.saved_at
    returning {SOURCE}, saved_at as created_at, 'draft' as state,
              (select newest + 1 from templates where id = $1) as version
"""  # noqa: S608 - the same
