"""What a server has: the templates and partials that a folder is compared with."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from tidings.client.authoring import AuthoringClient, Tagged
from tidings.contracts.base import Locale
from tidings.contracts.templates import LocalContent, Partial, Template, TemplateContent

T = TypeVar("T")

AT_ONCE = 8
"""Requests under way at the same time: fast for hundreds of templates, little for a server."""


@dataclass(frozen=True, slots=True)
class Published:
    """A template's newest version. `partials` are the sources it was published with."""

    content: TemplateContent
    etag: str | None
    partials: dict[str, str]


@dataclass(frozen=True, slots=True)
class Server:
    """`drafts` are the ids of which nothing is published yet."""

    templates: dict[str, Published] = field(default_factory=dict)
    partials: dict[str, Tagged[Partial]] = field(default_factory=dict)
    drafts: frozenset[str] = frozenset()


async def read_server(
    authoring: AuthoringClient, only: Collection[str] | None, advance: Callable[[], None]
) -> Server:
    """Every partial and every template that is not archived, or those `only` that are there.

    `advance` is called after each template.
    """
    summaries = [line for line in await authoring.templates() if only is None or line.id in only]

    async def published(template_id: str) -> Published | None:
        found = await authoring.template(template_id)
        compiled = await authoring.compiled(template_id)
        advance()
        if found is None or compiled is None:
            return None
        return Published(_as_written(found.value), found.etag, compiled.partials)

    templates = await _each(published, (line.id for line in summaries if line.version))
    partials = await _each(authoring.partial, [partial.name for partial in await authoring.partials()])
    drafts = frozenset(line.id for line in summaries if not line.version)
    return Server(templates, partials, drafts)


async def _each(read: Callable[[str], Awaitable[T | None]], names: Iterable[str]) -> dict[str, T]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(name: str) -> tuple[str, T | None]:
        async with turns:
            return name, await read(name)

    found = await asyncio.gather(*map(in_turn, names))
    return {name: value for name, value in found if value is not None}


def _as_written(template: Template) -> TemplateContent:
    return TemplateContent(
        default_locale=template.default_locale,
        content=msgspec.convert(msgspec.to_builtins(template.content), dict[Locale, LocalContent]),
        category=template.category,
        when_ambiguous=template.when_ambiguous,
        schema=template.schema,
        sample=template.sample,
    )
