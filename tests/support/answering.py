"""A server that answers every HTTP request with the same bytes, whatever they are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Answering:
    """Where it listens, what it was asked, and what it says. Without `answer` it only listens.

    It answers once `speak` is set, which it is from the beginning.
    """

    answer: bytes | None
    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    speak: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.speak.set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(
                (
                    int(line[15:])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                ),
                0,
            )
            self.requests.append(head + await reader.readexactly(size))
            if self.answer is None:
                await reader.read()
            else:
                await self.speak.wait()
                writer.write(self.answer)
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[Answering]:
    """A server for one test."""
    handler = Answering(answer)
    server = await asyncio.start_server(handler.handle, "127.0.0.1", 0)
    handler.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield handler
    finally:
        server.close()
        await server.wait_closed()


def http(status: int, body: str = "", **headers: str) -> bytes:
    """A complete answer; an underscore in a header's name is a hyphen."""
    content = body.encode()
    known = {"Content-Length": str(len(content)), "Connection": "close"}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in {**known, **headers}.items()]
    return "\r\n".join([f"HTTP/1.1 {status} So", *lines, "", ""]).encode() + content
