"""Letting go of clients that send too slowly, which could else hold connections for ever.

Uvicorn waits without end for the rest of a request. A head is small, so it has a fixed time. A body has the
same time and more for all that has come of it, so that a rate is asked for and not a size.
"""

from asyncio import get_running_loop, timeout
from collections.abc import Iterable

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, ReceiveMessage, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tidings.kit.errors import Problem, TooSlow

BYTES_PER_SECOND = 1024
"""How fast a body has to come on average once its first seconds are over."""

_SLOW_HEAD = msgspec.json.encode(
    Problem(title="Request Timeout", status=408, code="too_slow", detail="The request did not come in time")
)
_ANSWER = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%b"
) % (len(_SLOW_HEAD), _SLOW_HEAD)


def limit_bodies(app: ASGIApp, seconds: float) -> ASGIApp:
    """Middleware: whoever reads a body that comes too slowly gets `TooSlow` instead of its next part.

    Only the time spent waiting for the client counts, not what a handler does between two parts.
    """

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            receive = _Body(receive, seconds).receive
        await app(scope, receive, send)

    return limited


class _Body:
    """The rest of a request, with what is left of its time."""

    def __init__(self, receive: Receive, seconds: float) -> None:
        self._receive = receive
        self._left = seconds
        self._whole = False

    async def receive(self) -> ReceiveMessage:
        if self._whole:  # what comes next is the end of the connection, which may take its time
            return await self._receive()
        now = get_running_loop().time
        started = now()
        try:
            async with timeout(self._left):
                message = await self._receive()
        except TimeoutError:
            raise TooSlow("The body did not come in time; the connection is closed") from None
        if message["type"] == "http.request":
            self._left += len(message["body"]) / BYTES_PER_SECOND - (now() - started)
            self._whole = not message["more_body"]
        return message


class SlowHeads:
    """Connections on which the server waits for the head of a request, and since when.

    They are looked at now and then, all at once, so that requests in good time cost nothing.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[HttpToolsProtocol, float] = {}

    def cut_off(self, connections: Iterable[object], now: float) -> None:
        """Close what has been waited for too long. `now`: any clock, in seconds."""
        self._since = {
            connection: self._since.get(connection, now)
            for connection in connections
            if isinstance(connection, HttpToolsProtocol) and _awaits_head(connection)
        }
        for connection, since in self._since.items():
            if now - since > self._seconds:
                _close(connection)


def _awaits_head(connection: HttpToolsProtocol) -> bool:
    # Between two requests uvicorn's own timer runs. Without it more has come: a part of the next head, or
    # the rest of a body whose request was answered early.
    last = _last_request(connection)
    return (last is None or last.response_complete) and connection.timeout_keep_alive_task is None


def _close(connection: HttpToolsProtocol) -> None:
    last = _last_request(connection)
    if connection.scope is not (last and last.scope):  # a head has begun: its sender is told
        connection.transport.write(_ANSWER)
    connection.transport.close()


def _last_request(connection: HttpToolsProtocol) -> RequestResponseCycle | None:
    return connection.cycle  # None until a first head is complete, of which uvicorn's types say nothing
