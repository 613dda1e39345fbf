"""`/v1/users…`, `/v1/templates…` and their like: the services' own API, behind the gateway's keys."""

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus

import aiohttp
import msgspec
from litestar import Request, route
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse
from yarl import URL

from tidings.kit.auth import Principal, ServiceTokens, authenticated
from tidings.kit.duplex import DuplexResponse
from tidings.kit.errors import Problem, TooSlow, Unavailable
from tidings.kit.problems import PROBLEM_JSON
from tidings.kit.telemetry import trace_headers

LIMIT = aiohttp.ClientTimeout(total=None, sock_connect=2, sock_read=10)
"""An import may take minutes, but never ten seconds without a sign of life."""

MAX_BODY_BYTES = 64 * 1024 * 1024
ASKED_HEADERS = ("content-type", "content-length", "if-match", "if-none-match", "accept")
ANSWERED_HEADERS = ("content-type", "location", "retry-after", "etag", "cache-control", "vary")
FORWARDED = {"users": ("users", "categories", "suppressions"), "templates": ("templates", "partials")}
"""What each service answers under `/v1`."""
DESCRIPTION = "\n\n".join(
    f"{', '.join(f'`/v1/{name}`' for name in names)} and all below them are handed on to the {service} "
    f"service: [what they take and answer](schema/{service})."
    for service, names in FORWARDED.items()
)
"""What the gateway's description says of the APIs that it hands on."""
WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Forwarder:
    """Hands requests on to one service, with a token that carries the caller's id and scopes."""

    def __init__(
        self, session: aiohttp.ClientSession, tokens: ServiceTokens, services: Mapping[str, str]
    ) -> None:
        self._session = session
        self._tokens = tokens
        self._services = services

    async def forward(self, service: str, request: Request[Principal, None, State]) -> ASGIResponse:
        """The service's own answer, whatever it is. Bodies are passed on as they come, both ways.

        Raises:
            Unavailable: the service does not answer.
            TooSlow: the caller's body does not come.
        """
        token = self._tokens.sign(service, sorted(request.user.scopes), on_behalf_of=request.user.owner)
        headers = {name: request.headers[name] for name in ASKED_HEADERS if name in request.headers}
        headers |= {**trace_headers(), "Authorization": f"Bearer {token}"}
        try:
            answer = await self._session.request(
                request.method,
                self._url(service, request),
                data=request.stream() if request.method in {"POST", "PUT", "PATCH"} else None,
                headers=headers,
                timeout=LIMIT,
                allow_redirects=False,
            )
            return await _passed_on(answer, request.url.path)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if isinstance(error.__cause__, TooSlow):  # it is the caller who keeps the service waiting
                raise error.__cause__ from None
            raise Unavailable(
                f"The {service} service does not answer now", code=f"{service}_unavailable"
            ) from error

    def _url(self, service: str, request: Request[Principal, None, State]) -> URL:
        path = request.scope["raw_path"].decode("ascii").removeprefix("/v1")
        query = request.scope["query_string"].decode("ascii")
        base = self._services[service].rstrip("/")
        # Taken as it is: a client that resolves dot segments would climb out of the service's own paths.
        return URL(f"{base}{path}{'?' if query else ''}{query}", encoded=True)


async def _passed_on(answer: aiohttp.ClientResponse, path: str) -> ASGIResponse:
    kept = {name: answer.headers[name] for name in ANSWERED_HEADERS if name in answer.headers}
    media_type = kept.pop("content-type", None)
    if (
        answer.content_length is None and answer.status not in WITHOUT_BODY
    ):  # as of an import, which answers while it is still being sent
        return DuplexResponse(
            iterator=_chunks(answer), status_code=answer.status, headers=kept, media_type=media_type
        )
    body = await answer.read()
    if media_type == PROBLEM_JSON:
        body = _as_seen_from(path, body)
    return ASGIResponse(body=body, status_code=answer.status, headers=kept, media_type=media_type)


def _as_seen_from(path: str, body: bytes) -> bytes:
    """A problem that names the path which the caller asked, and not the service's own."""
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body
    return msgspec.json.encode(msgspec.structs.replace(problem, instance=path))


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async with answer:
        async for chunk in answer.content.iter_any():
            yield chunk


def forwarding_routes() -> list[HTTPRouteHandler]:
    """A route for each name below `/v1` that is another service's."""
    return [_route(service, name) for service, names in FORWARDED.items() for name in names]


def _route(service: str, name: str) -> HTTPRouteHandler:

    @route(
        [f"/v1/{name}", f"/v1/{name}/{{rest:path}}"],
        http_method=["GET", "POST", "PUT", "PATCH", "DELETE"],
        guards=[authenticated],
        status_code=200,
        include_in_schema=False,
        request_max_body_size=MAX_BODY_BYTES,
    )
    async def hand_on(
        request: Request[Principal, None, State], forwarder: NamedDependency[Forwarder]
    ) -> ASGIResponse:
        return await forwarder.forward(service, request)

    return hand_on
