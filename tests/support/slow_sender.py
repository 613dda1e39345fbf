"""A client that sends byte by byte."""

import asyncio
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

import httpx
import msgspec

_HEARD_SECONDS = 30


async def heard(url: httpx.URL, *, at_once: bytes = b"", slowly: bytes = b"", pause: float = 0.05) -> bytes:
    """What a client hears that sends so, until the server closes the connection. `pause`: seconds a byte."""
    async with asyncio.timeout(_HEARD_SECONDS):
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(at_once)
        dripping = asyncio.create_task(_drip(writer, slowly, pause))
        answer = await all_of(reader)
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)  # a connection that ended ends it as well
        writer.close()
        return answer


async def all_of(reader: StreamReader) -> bytes:
    """What comes until the connection ends. A byte that was sent too late for the server may reset it."""
    parts = []
    with suppress(ConnectionError):
        while part := await reader.read(65_536):
            parts.append(part)
    return b"".join(parts)


def problem_in(answer: bytes) -> dict[str, object]:
    """The problem document of a raw answer; fails when it is none, or not a 408."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in head
    return msgspec.json.decode(body, type=dict[str, object])


async def _drip(writer: StreamWriter, text: bytes, pause: float) -> None:
    for byte in text:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(pause)  # the slowness itself
