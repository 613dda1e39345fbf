"""Client of the template service. Versions never change, so they are kept once read."""

import asyncio

import msgspec
import structlog
from cachetools import LRUCache, TTLCache

from tidings.client.http import RemoteProblem, RemoteUnavailable, ServiceHttp
from tidings.contracts.http import Slug, Template

KEPT_VERSIONS = 1_000
NEWEST_SECONDS = 1.0
UNKNOWN = frozenset({"unknown_template", "unknown_version"})

log = structlog.get_logger(__name__)


class TemplatesClient:
    """Reads templates. The newest version is asked for at most once a second per template.

    While the template service is down, the newest version last seen is used.
    """

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http
        self._versions: LRUCache[tuple[str, int], Template] = LRUCache(KEPT_VERSIONS)
        self._newest: TTLCache[str, Template] = TTLCache(KEPT_VERSIONS, NEWEST_SECONDS)
        self._last_seen: LRUCache[str, Template] = LRUCache(KEPT_VERSIONS)
        self._asking: dict[str, asyncio.Task[Template | None]] = {}

    async def version(self, template_id: str, version: int) -> Template | None:
        """One version; None when it does not exist.

        Raises:
            RemoteUnavailable: the template service does not answer and the version is not kept.
        """
        kept = self._versions.get((template_id, version))
        if kept is not None:
            return kept
        return await self._once(f"{template_id}@{version}", template_id, {"version": str(version)})

    async def newest(self, template_id: str) -> Template | None:
        """The newest version; None when there is no such template.

        Raises:
            RemoteUnavailable: the template service does not answer and no version is kept.
        """
        kept = self._newest.get(template_id)
        if kept is not None:
            return kept
        try:
            found = await self._once(template_id, template_id, {})
        except RemoteUnavailable:
            last_seen = self._last_seen.get(template_id)
            if last_seen is None:
                raise
            log.warning("template_from_memory", template_id=template_id, version=last_seen.version)
            return last_seen
        if found is not None:
            self._newest[template_id] = self._last_seen[template_id] = found
        return found

    async def _once(self, key: str, template_id: str, params: dict[str, str]) -> Template | None:
        # A burst that misses the cache asks once: the others wait for the same answer.
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._read(template_id, params))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)

    async def _read(self, template_id: str, params: dict[str, str]) -> Template | None:
        if not _may_name_a_template(template_id):  # `../health` would lead to another path
            return None
        try:
            found = await self._http.read(Template, f"/templates/{template_id}", params=params)
        except RemoteProblem as refused:
            if refused.problem.code in UNKNOWN:
                return None
            raise
        self._versions[found.id, found.version] = found
        return found


def _may_name_a_template(template_id: str) -> bool:
    try:
        msgspec.convert(template_id, Slug)
    except msgspec.ValidationError:
        return False
    return True
