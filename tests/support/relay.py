"""A connection between a client and a server that a test may cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Relay:
    """Hands bytes on between a port of its own and a server's, until it is cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections = 0
        """How many were made so far."""

    def cut(self) -> None:
        """Break every connection off, as a network does; new ones can be made."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        self.connections += 1
        upstream, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, to_server}
        try:
            await asyncio.gather(_hand_on(reader, to_server), _hand_on(upstream, writer))
        finally:
            self._writers -= {writer, to_server}
            for one in (writer, to_server):
                one.close()


@asynccontextmanager
async def relay_to(port: int) -> AsyncIterator[tuple[str, Relay]]:
    """The URL of a relay to the server on `port`, and the relay."""
    relay = Relay(port)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", relay
    finally:
        server.close()
        relay.cut()
        await server.wait_closed()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    with suppress(OSError, RuntimeError):  # the other side is gone already
        writer.write_eof()
