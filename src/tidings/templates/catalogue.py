"""Reading versions, from the cache where that cannot be wrong."""

import msgspec

from tidings.contracts.http import Template
from tidings.kit.cache import Cache
from tidings.templates.store import TemplateStore

CACHED_SECONDS = 7 * 24 * 3600


class Catalogue:
    """Versions by number come from the cache: they never change.

    Which one is newest is always asked of PostgreSQL, by primary key. A cached answer could outlive
    the write that ended it, for as long as the cache cannot be reached.
    """

    def __init__(self, store: TemplateStore, cache: Cache) -> None:
        self._store = store
        self._cache = cache

    async def find(self, template_id: str, version: int | None) -> Template | None:
        """A version, or the newest; None when there is none."""
        if version is None:
            return await self._store.find(template_id, None)
        key = f"{template_id}:{version}"
        [cached] = await self._cache.get_many([key])
        if cached is not None:
            try:
                return msgspec.json.decode(cached, type=Template)
            except msgspec.DecodeError:  # written by another release
                pass
        found = await self._store.find(template_id, version)
        if found is not None:
            await self._cache.set_many({key: msgspec.json.encode(found)}, seconds=CACHED_SECONDS)
        return found
