"""What changed from one version to another."""

from collections.abc import Iterator, Sequence
from difflib import unified_diff

import msgspec

from tidings.contracts.templates import FieldDifference, StoredManner, TemplateDifference
from tidings.templates.catalogue import Catalogue
from tidings.templates.partial_store import PartialStore
from tidings.templates.store import Source, TemplateStore

_AS_USUAL = StoredManner()
MAX_LINES = 2_000
"""difflib may take the square of the lines, and publishers choose how many there are."""


class Comparison:
    """Compares versions, and the draft, which is shown with the partials as they are now."""

    def __init__(self, catalogue: Catalogue, store: TemplateStore, partials: PartialStore) -> None:
        self._catalogue = catalogue
        self._store = store
        self._partials = partials

    async def between(self, template_id: str, before: int | None, after: int) -> TemplateDifference:
        """From `before`, the newest where None, to `after`, the draft where 0 and there is one.

        Raises:
            NotFound: `unknown_template` or `unknown_version`.
        """
        old = await self._catalogue.source(template_id, version=before)
        new = await self._source(template_id, after)
        return TemplateDifference(
            id=template_id,
            from_version=old.template.version,
            to_version=0 if new.template.state == "draft" else new.template.version,
            fields=list(differences(_fields(old), _fields(new))),
        )

    async def _source(self, template_id: str, version: int) -> Source:
        if version:
            return await self._catalogue.source(template_id, version=version)
        draft = await self._store.draft(template_id)
        if draft is None:
            return await self._catalogue.source(template_id)
        now = await self._partials.sources()
        used = {name: now.get(name, source) for name, source in draft.partials.items()}
        return msgspec.structs.replace(draft, partials=used)


def differences(before: dict[str, str], after: dict[str, str]) -> Iterator[FieldDifference]:
    """How each field differs; one that is absent on a side differs from end to end."""
    for field in sorted(before.keys() | after.keys()):
        old, new = before.get(field), after.get(field)
        if old != new:
            yield FieldDifference(field=field, diff="\n".join(_unified(_lines(old), _lines(new))))


def _fields(source: Source) -> dict[str, str]:
    template = source.template
    settings = {
        "default_locale": template.default_locale,
        "category": template.category,
        "when_ambiguous": template.when_ambiguous,
        "schema": _pretty(template.schema),
        "sample": _pretty(template.sample),
    }
    words = {
        f"content.{locale}.{channel}.{field}": text
        for locale, local in template.content.items()
        for channel, form in (("email", local.email), ("push", local.push))
        if form is not None
        for field, text in _texts(form).items()
    }
    return settings | words | {f"partials.{name}": text for name, text in source.partials.items()}


def _texts(form: msgspec.Struct) -> dict[str, str]:
    given = msgspec.structs.asdict(form)
    fields = {name: value for name, value in given.items() if value and value != _AS_USUAL}
    return {name: value if isinstance(value, str) else _pretty(value) for name, value in fields.items()}


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2).decode()


def _lines(text: str | None) -> list[str]:
    return [] if text is None else text.split("\n")


def _unified(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    if max(len(before), len(after)) > MAX_LINES:
        yield f"@@ -1,{len(before)} +1,{len(after)} @@"
        yield from (f"-{line}" for line in before)
        yield from (f"+{line}" for line in after)
        return
    _, _, *hunks = unified_diff(before, after, lineterm="")
    yield from hunks
