"""What changes a template: each way leads through the same checks, under the same lock."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec

from tidings.contracts.templates import NewTemplate, Template, TemplateContent
from tidings.kit.errors import NotFound, PreconditionFailed
from tidings.templates.absence import (
    archived_template,
    template_exists,
    unknown_draft,
    unknown_template,
    unknown_version,
)
from tidings.templates.checking import compile_checked
from tidings.templates.compiling import Compiled
from tidings.templates.conditional import require_match
from tidings.templates.partial_store import PartialStore
from tidings.templates.store import Source, TemplateStore
from tidings.templates.writing_store import HeldTemplate, WritingStore


class Publisher:
    """Adds, drafts, publishes and archives templates, in the name of `actor`.

    All methods raise `NotFound` (`unknown_template`), `Conflict` (`archived_template`),
    `PreconditionFailed` (`changed_meanwhile`) where `if_match` does not hold, and `Unprocessable` for
    content that cannot be published. Content is compiled before the lock is taken: it may take long.
    """

    def __init__(self, store: TemplateStore, writing: WritingStore, partials: PartialStore) -> None:
        self._store = store
        self._writing = writing
        self._partials = partials

    async def add(self, new: NewTemplate, *, draft: bool, actor: str, copy_of: str | None = None) -> Template:
        """A new template, as its version 1 or as a draft.

        Raises:
            Conflict: `template_exists`.
        """
        compiled = await self._compile(new)
        async with self._writing.add(new.id, actor=actor) as held:
            if held is None:
                raise template_exists(new.id)
            detail = {"copy_of": copy_of} if copy_of else {}
            return await (held.save_draft if draft else held.publish)(new, compiled, detail)

    async def replace(
        self,
        template_id: str,
        content: TemplateContent,
        if_match: str | None,
        *,
        actor: str,
        detail: Mapping[str, object] | None = None,
    ) -> Template:
        """The next version; the newest when that says the same already."""
        compiled = await self._compile(content)
        async with self._open(template_id, actor) as held:
            require_match(if_match, held.current)
            return _newest_saying(held, content, compiled) or await held.publish(content, compiled, detail)

    async def roll_back(
        self, template_id: str, version: int, if_match: str | None, *, actor: str
    ) -> Template:
        """The words of an older version as the next one, with the partials as they are now.

        Raises:
            NotFound: also `unknown_version`.
        """
        source = await self._store.version(template_id, version)
        if source is None:
            raise await self._absent(template_id, version)
        detail = {"rolled_back_to": version}
        return await self.replace(
            template_id, content_of(source.template), if_match, actor=actor, detail=detail
        )

    async def save_draft(
        self, template_id: str, content: TemplateContent, if_match: str | None, *, actor: str
    ) -> tuple[Template, bool]:
        """The draft, over the one there may be; also says whether it is new.

        Without a draft, `if_match` names the version that it starts from.
        """
        compiled = await self._compile(content)
        async with self._open(template_id, actor) as held:
            require_match(if_match, held.draft.template if held.draft else held.current)
            return await held.save_draft(content, compiled), held.draft is None

    async def drop_draft(self, template_id: str, if_match: str | None, *, actor: str) -> None:
        """Delete the draft; a template of which nothing was published goes with it.

        Raises:
            NotFound: also `unknown_draft`.
        """
        async with self._open(template_id, actor) as held:
            if held.draft is None:
                raise unknown_draft(template_id)
            require_match(if_match, held.draft.template)
            await (held.drop_draft() if held.newest else held.remove())

    async def publish_draft(self, template_id: str, if_match: str | None, *, actor: str) -> Template:
        """The draft as the next version.

        Raises:
            NotFound: also `unknown_draft`.
        """
        draft = await self._store.draft(template_id)
        if draft is None:
            raise await self._absent(template_id, None)
        content = content_of(draft.template)
        compiled = await self._compile(content)
        async with self._open(template_id, actor) as held:
            if held.draft is None:
                raise unknown_draft(template_id)
            require_match(if_match, held.draft.template)
            if content_of(held.draft.template) != content:
                raise PreconditionFailed(
                    f"The draft of {template_id} was changed while it was being published; look at it "
                    "and publish it again",
                    code="changed_meanwhile",
                )
            newest = _newest_saying(held, content, compiled)
            if newest is None:
                return await held.publish_draft(content, compiled)
            await held.drop_draft()
            return newest

    async def duplicate(self, template_id: str, copy_id: str, *, actor: str) -> Template:
        """A new template with the words of the newest version, or of the draft where none is published.

        Raises:
            Conflict: `template_exists`.
        """
        source = await self._store.version(template_id, None) or await self._store.draft(template_id)
        if source is None:
            raise unknown_template(template_id)
        content = content_of(source.template)
        new = NewTemplate(id=copy_id, **msgspec.structs.asdict(content))
        draft = source.template.state == "draft"
        return await self.add(new, draft=draft, actor=actor, copy_of=template_id)

    async def archive(self, template_id: str, if_match: str | None, *, actor: str) -> None:
        """Put the template away; one that is archived already stays so."""
        async with self._writing.hold(template_id, actor=actor) as held:
            if held is None:
                raise unknown_template(template_id)
            require_match(if_match, held.current)
            if not held.archived:
                await held.archive()

    async def restore(self, template_id: str, *, actor: str) -> Template:
        """Take the template out of the archive; answers its newest version, or the draft if there is none."""
        async with self._writing.hold(template_id, actor=actor) as held:
            if held is None:
                raise unknown_template(template_id)
            if held.archived:
                await held.restore()
        source = await self._store.version(template_id, None) or await self._store.draft(template_id)
        if source is None:
            raise unknown_template(template_id)
        return source.template

    async def _compile(self, content: TemplateContent) -> Compiled:
        return await compile_checked(content, await self._partials.sources())

    @asynccontextmanager
    async def _open(self, template_id: str, actor: str) -> AsyncIterator[HeldTemplate]:
        async with self._writing.hold(template_id, actor=actor) as held:
            if held is None:
                raise unknown_template(template_id)
            if held.archived:
                raise archived_template(template_id)
            yield held

    async def _absent(self, template_id: str, version: int | None) -> NotFound:
        if await self._store.pointer(template_id) is None:
            return unknown_template(template_id)
        return unknown_draft(template_id) if version is None else unknown_version(template_id, version)


def content_of(template: Template) -> TemplateContent:
    """What was written, as it would be written again."""
    return TemplateContent(
        default_locale=template.default_locale,
        content=dict(template.content),
        category=template.category,
        when_ambiguous=template.when_ambiguous,
        schema=template.schema,
        sample=template.sample,
    )


def _newest_saying(held: HeldTemplate, content: TemplateContent, compiled: Compiled) -> Template | None:
    newest = held.newest
    return newest.template if newest is not None and _says(newest, content, compiled) else None


def _says(newest: Source, content: TemplateContent, compiled: Compiled) -> bool:
    # As JSON: what was stored is read as other types, with the same fields.
    stored, given = (msgspec.to_builtins(each) for each in (content_of(newest.template), content))
    return stored == given and newest.partials == compiled.partials
