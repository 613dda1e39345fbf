"""Client for those who write templates: reads and publishes them and their partials."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from tidings.client.http import Answer, RemoteProblem, ServiceHttp, open_session
from tidings.contracts.base import Slug
from tidings.contracts.templates import (
    CompiledTemplate,
    NewPartial,
    NewTemplate,
    Partial,
    Partials,
    Rendered,
    RenderRequest,
    Template,
    TemplateContent,
    Templates,
    TemplateSummary,
    TemplateVersions,
)

T = TypeVar("T")

SECONDS = 30.0
PAGE = 200
UNKNOWN = frozenset({"unknown_template", "unknown_version", "unknown_draft", "unknown_partial"})


@dataclass(frozen=True, slots=True)
class Tagged(Generic[T]):
    """What was read, with the entity tag that a write can be made conditional on."""

    value: T
    etag: str | None


class AuthoringClient:
    """Templates and partials through the public API.

    Open it with `async with AuthoringClient.open(url, api_key) as authoring`. Every method may raise
    `RemoteProblem` (refused; with `changed_meanwhile` where `if_match` does not hold) and
    `RemoteUnavailable`.
    """

    def __init__(self, http: ServiceHttp, *, prefix: str = "/v1") -> None:
        self._http = http
        self._prefix = prefix

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, api_key: str) -> "AsyncIterator[AuthoringClient]":
        """A client with kept connections to the gateway at `url`."""
        async with open_session() as session:
            yield cls(ServiceHttp(session, url, lambda: api_key, seconds=SECONDS))

    async def templates(self) -> list[TemplateSummary]:
        """Every template that is not archived, by id."""
        found: list[TemplateSummary] = []
        cursor: str | None = None
        while True:
            page = await self._page(Templates, "/templates", cursor)
            found += page.templates
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def partials(self) -> list[Partial]:
        """Every partial, by name."""
        found: list[Partial] = []
        cursor: str | None = None
        while True:
            page = await self._page(Partials, "/partials", cursor)
            found += page.partials
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def template(
        self, template_id: str, *, version: int | None = None, draft: bool = False
    ) -> Tagged[Template] | None:
        """A template's newest version, or the one asked for, or its draft; None if there is none."""
        params = {"draft": "true"} if draft else {"version": str(version)} if version else {}
        return await self._find(Template, f"/templates/{_slug(template_id)}", params)

    async def compiled(self, template_id: str) -> CompiledTemplate | None:
        """A template's newest version as senders read it, with the partials it was published with."""
        found = await self._find(CompiledTemplate, f"/templates/{_slug(template_id)}/compiled", {})
        return None if found is None else found.value

    async def exists(self, template_id: str) -> bool:
        """Whether the id is taken: also by a draft, or a template in the archive."""
        path = f"/templates/{_slug(template_id)}/versions"
        return await self._find(TemplateVersions, path, {"limit": "1"}) is not None

    async def partial(self, name: str) -> Tagged[Partial] | None:
        """A partial as it is now; None if there is none."""
        return await self._find(Partial, f"/partials/{_slug(name)}", {})

    async def create(self, template: NewTemplate) -> Tagged[Template]:
        """Publish a template's first version."""
        answer = await self._http.call("POST", f"{self._prefix}/templates", body=template)
        return _tagged(answer, Template)

    async def publish(
        self, template_id: str, content: TemplateContent, *, if_match: str | None = None
    ) -> Tagged[Template]:
        """Publish the next version of a template; what is published already makes none."""
        path = f"{self._prefix}/templates/{_slug(template_id)}"
        answer = await self._http.call("PUT", path, body=content, headers=_condition(if_match))
        return _tagged(answer, Template)

    async def put_partial(self, name: str, source: str, *, if_match: str | None = None) -> Tagged[Partial]:
        """Store a partial; templates use it from their next publication on."""
        path = f"{self._prefix}/partials/{_slug(name)}"
        answer = await self._http.call(
            "PUT", path, body=NewPartial(source=source), headers=_condition(if_match)
        )
        return _tagged(answer, Partial)

    async def render(self, template_id: str, request: RenderRequest) -> Rendered:
        """A template filled in, on every channel it has."""
        path = f"{self._prefix}/templates/{_slug(template_id)}/render"
        answer = await self._http.call("POST", path, body=request, attempts=3)
        return answer.read(Rendered)

    async def _page(self, kind: type[T], path: str, cursor: str | None) -> T:
        params = {"limit": str(PAGE), **({"cursor": cursor} if cursor else {})}
        return await self._http.read(kind, self._prefix + path, params=params)

    async def _find(self, kind: type[T], path: str, params: dict[str, str]) -> Tagged[T] | None:
        try:
            answer = await self._http.call("GET", self._prefix + path, params=params, attempts=3)
        except RemoteProblem as refused:
            if refused.problem.code in UNKNOWN:
                return None
            raise
        return _tagged(answer, kind)


def _tagged(answer: Answer, kind: type[T]) -> Tagged[T]:
    return Tagged(answer.read(kind), answer.headers.get("ETag"))


def _condition(if_match: str | None) -> dict[str, str]:
    return {"If-Match": if_match} if if_match else {}


def _slug(name: str) -> str:
    # Anything else could lead to another path.
    return msgspec.convert(name, Slug)
