"""Client for those who write templates: reads and publishes them and their partials."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from tidings.client.http import Answer, Params, RemoteProblem, ServiceHttp, open_session
from tidings.client.paging import each, query
from tidings.contracts.base import Slug
from tidings.contracts.codes import Channel
from tidings.contracts.templates import (
    CompiledTemplate,
    Duplicate,
    NewPartial,
    NewTemplate,
    Partial,
    Partials,
    Rendered,
    RenderRequest,
    Rollback,
    Template,
    TemplateContent,
    TemplateDifference,
    Templates,
    TemplateSummary,
    TemplateVersion,
    TemplateVersions,
    TestRequest,
    TestResult,
)

T = TypeVar("T")

SECONDS = 30.0
REPEATS = 3
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

    async def templates(
        self,
        *,
        search: str | None = None,
        category: str | None = None,
        channel: Channel | None = None,
        archived: bool = False,
    ) -> list[TemplateSummary]:
        """Every template to which all that is given applies, by id; with `archived` those in the archive."""
        found = each(
            self._http,
            Templates,
            f"{self._prefix}/templates",
            lambda page: page.templates,
            search=search,
            category=category,
            channel=channel,
            archived=archived,
        )
        return [template async for template in found]

    async def partials(self) -> list[Partial]:
        """Every partial, by name."""
        found = each(self._http, Partials, f"{self._prefix}/partials", lambda page: page.partials)
        return [partial async for partial in found]

    async def template(
        self, template_id: str, *, version: int | None = None, draft: bool = False
    ) -> Tagged[Template] | None:
        """A template's newest version, or the one asked for, or its draft; None if there is none."""
        params = query(draft=True) if draft else query(version=version)
        return await self._find(Template, f"/templates/{_slug(template_id)}", params)

    async def compiled(self, template_id: str, *, version: int | None = None) -> CompiledTemplate | None:
        """A version, or the newest, as senders read it, with the partials it was published with."""
        path = f"/templates/{_slug(template_id)}/compiled"
        found = await self._find(CompiledTemplate, path, query(version=version))
        return None if found is None else found.value

    def versions(self, template_id: str) -> AsyncIterator[TemplateVersion]:
        """A template's versions, newest first."""
        path = self._of(template_id, "/versions")
        return each(self._http, TemplateVersions, path, lambda page: page.versions)

    async def compare(
        self, template_id: str, *, older: int | None = None, newer: int | None = None
    ) -> TemplateDifference:
        """What differs between two versions: from the newest, and to the draft, unless you say otherwise."""
        params = query(**{"from": older, "to": newer})
        return await self._http.read(TemplateDifference, self._of(template_id, "/diff"), params=params)

    async def exists(self, template_id: str) -> bool:
        """Whether the id is taken: also by a draft, or a template in the archive."""
        path = f"/templates/{_slug(template_id)}/versions"
        return await self._find(TemplateVersions, path, {"limit": "1"}) is not None

    async def partial(self, name: str) -> Tagged[Partial] | None:
        """A partial as it is now; None if there is none."""
        return await self._find(Partial, f"/partials/{_slug(name)}", {})

    async def create(self, template: NewTemplate, *, draft: bool = False) -> Tagged[Template]:
        """Publish a template's first version, or store it as a draft and publish nothing."""
        params = query(draft=True) if draft else None
        answer = await self._http.call("POST", f"{self._prefix}/templates", body=template, params=params)
        return _tagged(answer, Template)

    async def publish(
        self, template_id: str, content: TemplateContent, *, if_match: str | None = None
    ) -> Tagged[Template]:
        """Publish the next version of a template; what is published already makes none."""
        return await self._write("PUT", self._of(template_id), content, if_match)

    async def roll_back(
        self, template_id: str, version: int, *, if_match: str | None = None
    ) -> Tagged[Template]:
        """Publish an older version again, as the next one."""
        return await self._write(
            "POST", self._of(template_id, "/rollback"), Rollback(version=version), if_match
        )

    async def duplicate(self, template_id: str, new_id: str) -> Tagged[Template]:
        """Store a copy of a template under another id."""
        answer = await self._http.call("POST", self._of(template_id, "/duplicate"), body=Duplicate(id=new_id))
        return _tagged(answer, Template)

    async def archive(self, template_id: str, *, if_match: str | None = None) -> None:
        """Refuse new notifications with a template. Those that were accepted are sent."""
        await self._http.call("DELETE", self._of(template_id), headers=_condition(if_match))

    async def restore(self, template_id: str) -> Tagged[Template]:
        """Take a template out of the archive."""
        return await self._write("POST", self._of(template_id, "/restore"), None, None)

    async def draft(self, template_id: str) -> Tagged[Template] | None:
        """What may become the next version; None if there is no draft."""
        return await self._find(Template, f"/templates/{_slug(template_id)}/draft", {})

    async def save_draft(
        self, template_id: str, content: TemplateContent, *, if_match: str | None = None
    ) -> Tagged[Template]:
        """Write the draft over; it is checked as a version is, and sent to nobody."""
        return await self._write("PUT", self._of(template_id, "/draft"), content, if_match)

    async def publish_draft(self, template_id: str, *, if_match: str | None = None) -> Tagged[Template]:
        """Make the draft the next version."""
        return await self._write("POST", self._of(template_id, "/publish"), None, if_match)

    async def discard_draft(self, template_id: str, *, if_match: str | None = None) -> None:
        """Delete the draft, and the template with it where nothing was ever published."""
        await self._http.call("DELETE", self._of(template_id, "/draft"), headers=_condition(if_match))

    async def put_partial(self, name: str, source: str, *, if_match: str | None = None) -> Tagged[Partial]:
        """Store a partial; templates use it from their next publication on."""
        path = f"{self._prefix}/partials/{_slug(name)}"
        answer = await self._http.call(
            "PUT", path, body=NewPartial(source=source), headers=_condition(if_match)
        )
        return _tagged(answer, Partial)

    async def delete_partial(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a partial. Versions that were published with it keep what they have of it."""
        await self._http.call(
            "DELETE", f"{self._prefix}/partials/{_slug(name)}", headers=_condition(if_match)
        )

    async def render(self, template_id: str, request: RenderRequest) -> Rendered:
        """A template filled in, on every channel it has."""
        path = self._of(template_id, "/render")
        answer = await self._http.call("POST", path, body=request, attempts=REPEATS)
        return answer.read(Rendered)

    async def send_test(self, template_id: str, request: TestRequest) -> TestResult:
        """Send one email to yourself; `sent` tells whether the mail server took it."""
        answer = await self._http.call("POST", self._of(template_id, "/test"), body=request)
        return answer.read(TestResult)

    def _of(self, template_id: str, below: str = "") -> str:
        return f"{self._prefix}/templates/{_slug(template_id)}{below}"

    async def _write(self, method: str, path: str, body: object, if_match: str | None) -> Tagged[Template]:
        answer = await self._http.call(method, path, body=body, headers=_condition(if_match))
        return _tagged(answer, Template)

    async def _find(self, kind: type[T], path: str, params: Params) -> Tagged[T] | None:
        try:
            answer = await self._http.call("GET", self._prefix + path, params=params, attempts=REPEATS)
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
