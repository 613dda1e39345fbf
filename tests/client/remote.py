"""A service on a real port that answers what a test tells it to."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, route

from support.ports import free_port
from support.serving import serving


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `body` is encoded as JSON unless it is bytes; `seconds` is how long it takes."""

    body: object = None
    status: int = 200
    seconds: float = 0.0
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


def problem(status: int, code: str) -> Reply:
    """An error answer as our services give it."""
    words = {"title": "Error", "status": status, "code": code, "detail": f"It is {code}"}
    faults = [{"field": "$.name", "message": "wrong"}]
    return Reply(words | {"errors": faults}, status)


class Remote:
    """Gives the replies in order and the last one for ever; remembers what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self._replies = [Reply()]

    def replies(self, *replies: Reply) -> None:
        """Set what is answered from now on."""
        self._replies = list(replies)

    async def answer(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """Answer the next reply."""
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        content = await request.body()
        self.asked.append(
            Asked(
                request.method,
                request.scope["raw_path"].decode(),
                dict(request.query_params),
                dict(request.headers),
                msgspec.json.decode(content) if content else None,
            )
        )
        await asyncio.sleep(reply.seconds)
        body = reply.body if isinstance(reply.body, bytes) else msgspec.json.encode(reply.body)
        return Response(body, status_code=reply.status, headers=reply.headers, media_type="application/json")


class RemoteServer:
    """A listener on a free port of the loopback address, for one `Remote` after the other."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._remote = Remote(self._url)

    def fresh(self) -> Remote:
        """A remote service that was asked nothing yet; it gets all requests from now on."""
        self._remote = Remote(self._url)
        return self._remote

    async def answer(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """Hand a request on."""
        return await self._remote.answer(request)


@asynccontextmanager
async def running_server() -> AsyncIterator[RemoteServer]:
    """The listener, for as long as the block runs."""
    remotes = RemoteServer(port := free_port())

    @route(
        ["/", "/{rest:path}"],
        http_method=["GET", "POST", "PUT", "PATCH", "DELETE"],
        status_code=200,
        include_in_schema=False,
    )
    async def anything(request: Request[Any, Any, Any]) -> Response[bytes]:
        return await remotes.answer(request)

    app = Litestar([anything], openapi_config=None, logging_config=None)
    async with serving(app, port):
        yield remotes
