"""Client of the template service. Versions never change, so they are kept once read."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

import msgspec
import structlog
from cachetools import LRUCache, TTLCache

from tidings.client.http import Answer, RemoteProblem, RemoteUnavailable, ServiceHttp
from tidings.contracts.base import Slug
from tidings.contracts.templates import CompiledTemplate

KEPT_VERSIONS = 1_000
NEWEST_SECONDS = 1.0
UNKNOWN = frozenset({"unknown_template", "unknown_version"})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A newest version as it was last seen, with the tag to ask whether it still is."""

    template: CompiledTemplate
    tag: str | None


class TemplatesClient:
    """Reads templates. The newest version is asked for at most once a second per template.

    While the template service is down, the newest version last seen is used.
    """

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http
        self._versions: LRUCache[tuple[str, int], CompiledTemplate] = LRUCache(KEPT_VERSIONS)
        self._newest: TTLCache[str, CompiledTemplate] = TTLCache(KEPT_VERSIONS, NEWEST_SECONDS)
        self._last_seen: LRUCache[str, _Seen] = LRUCache(KEPT_VERSIONS)
        self._asking: dict[tuple[str, int | None], asyncio.Task[CompiledTemplate | None]] = {}

    async def version(self, template_id: str, version: int) -> CompiledTemplate | None:
        """One version, archived or not; None when it does not exist.

        Raises:
            RemoteUnavailable: the template service does not answer and the version is not kept.
        """
        kept = self._versions.get((template_id, version))
        if kept is not None:
            return kept
        return await self._once(template_id, version)

    async def newest(self, template_id: str, *, surely: bool = False) -> CompiledTemplate | None:
        """The newest version; None when there is no such template. It says whether it is `archived`.

        `surely`: it is asked for now, and what was seen before will not do.

        Raises:
            RemoteUnavailable: the template service does not answer and no version is kept.
        """
        kept = None if surely else self._newest.get(template_id)
        if kept is not None:
            return kept
        try:
            found = await self._once(template_id, None)
        except RemoteUnavailable:
            last_seen = self._last_seen.get(template_id)
            if last_seen is None or surely:
                raise
            log.warning("template_from_memory", template_id=template_id, version=last_seen.template.version)
            return last_seen.template
        if found is not None:
            self._newest[template_id] = found
        return found

    async def _once(self, template_id: str, version: int | None) -> CompiledTemplate | None:
        if not _may_name_a_template(template_id):  # `../health` would lead to another path
            return None
        # A burst that misses the cache asks once: the others wait for the same answer.
        key = (template_id, version)
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._read(template_id, version))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)

    async def _read(self, template_id: str, version: int | None) -> CompiledTemplate | None:
        try:
            if version is None:
                return await self._read_newest(template_id)
            answer = await self._get(template_id, params={"version": str(version)})
        except RemoteProblem as refused:
            if refused.problem.code in UNKNOWN:
                return None
            raise
        return self._keep(answer)

    async def _read_newest(self, template_id: str) -> CompiledTemplate:
        seen = self._last_seen.get(template_id)
        answer = await self._get(template_id, tag=seen.tag if seen else None)
        if seen is not None and answer.status == HTTPStatus.NOT_MODIFIED:
            return seen.template
        found = self._keep(answer)
        self._last_seen[template_id] = _Seen(found, answer.headers.get("ETag"))
        return found

    async def _get(
        self, template_id: str, *, params: dict[str, str] | None = None, tag: str | None = None
    ) -> Answer:
        headers = {"If-None-Match": tag} if tag else None
        path = f"/templates/{template_id}/compiled"
        return await self._http.call("GET", path, params=params, headers=headers, attempts=3)

    def _keep(self, answer: Answer) -> CompiledTemplate:
        found = answer.read(CompiledTemplate)
        self._versions[found.id, found.version] = found
        return found


def _may_name_a_template(template_id: str) -> bool:
    try:
        msgspec.convert(template_id, Slug)
    except msgspec.ValidationError:
        return False
    return True
