"""What ASGI cannot say: hang up without an answer, and answer byte by byte."""

import asyncio
from typing import Any

from litestar import Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Connection(HttpToolsProtocol):
    """A connection that requests can reach as `request.state.transport`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Keep the transport where a request finds it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


async def hang_up(request: Request[Any, Any, Any]) -> None:
    """Cut the connection of a request. What its handler answers afterwards is discarded."""
    transport: asyncio.WriteTransport = request.state.transport
    transport.abort()
    # The server notices on the loop's next turn.
    await asyncio.sleep(0)


async def answer_slowly(request: Request[Any, Any, Any], answer: bytes, seconds: float) -> None:
    """Write a whole HTTP answer byte by byte over so many seconds, then close the connection."""
    transport: asyncio.WriteTransport = request.state.transport
    for byte in answer:
        if transport.is_closing():
            break
        transport.write(bytes([byte]))
        await asyncio.sleep(seconds / len(answer))
    transport.close()
    await asyncio.sleep(0)
