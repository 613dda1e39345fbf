"""An answer that begins while the request's body still arrives."""

import asyncio

from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import Receive, Send


class DuplexResponse(ASGIStreamingResponse):
    """Sends what its iterator yields, while the iterator reads the request's stream.

    Litestar's own streaming response listens for a lost client, and would take the body's chunks
    for itself; here the reading finds out. A client that sends everything before it reads anything
    must not bring both sides to a halt, so what it does not take waits in memory: an iterator
    yields no more than fits there. When it raises, the answer breaks off.
    """

    async def send_body(self, send: Send, receive: Receive) -> None:  # noqa: ARG002 - the iterator receives
        """Send the body, then its end."""
        waiting: asyncio.Queue[bytes | str | None] = asyncio.Queue()

        async def produce() -> None:
            try:
                async for part in self.iterator:
                    waiting.put_nowait(part)
            finally:
                waiting.put_nowait(None)

        async with asyncio.TaskGroup() as group:
            group.create_task(produce())
            while (part := await waiting.get()) is not None:
                body = part if isinstance(part, bytes) else part.encode()
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
