"""Reading versions and drafts, from the cache where that cannot be wrong."""

import msgspec

from tidings.contracts.templates import CompiledTemplate, Template
from tidings.kit.cache import Cache
from tidings.kit.errors import FieldFault, NotFound, Unprocessable
from tidings.templates.absence import unknown_draft, unknown_template, unknown_version
from tidings.templates.store import Pointer, Source, TemplateStore

CACHED_SECONDS = 7 * 24 * 3600


class Catalogue:
    """Compiled versions come from the cache: they never change.

    Which one is newest is always asked of PostgreSQL, by primary key. A cached answer could outlive
    the write that ended it, for as long as the cache cannot be reached.
    """

    def __init__(self, store: TemplateStore, cache: Cache) -> None:
        self._store = store
        self._cache = cache

    async def source(self, template_id: str, *, version: int | None = None, draft: bool = False) -> Source:
        """A version as it was written, the newest without a number; or the draft.

        Raises:
            NotFound: `unknown_template`, `unknown_version` or `unknown_draft`.
            Unprocessable: a version and the draft were asked for.
        """
        if draft:
            if version is not None:
                raise _either()
            found = await self._store.draft(template_id)
        else:
            found = await self._store.version(template_id, version)
        if found is None:
            raise await self._absent(template_id, version, draft=draft)
        return found

    async def template(
        self, template_id: str, *, version: int | None = None, draft: bool = False
    ) -> Template:
        """As `source`, without the partials."""
        return (await self.source(template_id, version=version, draft=draft)).template

    async def compiled(self, template_id: str, version: int) -> CompiledTemplate:
        """A version, ready to be filled in.

        Raises:
            NotFound: `unknown_template` or `unknown_version`.
        """
        key = f"compiled:{template_id}:{version}"
        [cached] = await self._cache.get_many([key])
        if cached is not None:
            try:
                return msgspec.json.decode(cached, type=CompiledTemplate)
            except msgspec.DecodeError:  # written by another release
                pass
        found = await self._store.compiled(template_id, version)
        if found is None:
            raise await self._absent(template_id, version)
        await self._cache.set_many({key: msgspec.json.encode(found)}, seconds=CACHED_SECONDS)
        return found

    async def pointer(self, template_id: str) -> Pointer:
        """Which version is the newest.

        Raises:
            NotFound: `unknown_template`, or `unknown_version` where none is published.
        """
        found = await self._store.pointer(template_id)
        if found is None:
            raise unknown_template(template_id)
        if not found.newest:
            raise unknown_version(template_id, None)
        return found

    async def _absent(self, template_id: str, version: int | None, *, draft: bool = False) -> NotFound:
        if await self._store.pointer(template_id) is None:
            return unknown_template(template_id)
        return unknown_draft(template_id) if draft else unknown_version(template_id, version)


def _either() -> Unprocessable:
    fault = FieldFault(field="$.draft", message="Ask for a `version` or for the draft, not for both")
    return Unprocessable(f"The request does not fit: {fault.message}", code="invalid_request", errors=[fault])
