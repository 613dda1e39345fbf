"""Push providers that say yes to everything, as cheaply as can be: over HTTP/1.1, and as APNs over HTTP/2."""

import asyncio
import multiprocessing
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import uvloop

BODY = (
    b'{"name":"projects/benchmark/messages/1","id":"1","data":{"status":"ok","id":"1"},'
    b'"access_token":"token","expires_in":3600,"token_type":"Bearer"}'
)
"""What FCM, OneSignal, Expo and Google's token endpoint say, in one; of Web Push only the status counts."""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(BODY),
    BODY,
)
LENGTH = b"content-length:"

# RFC 9113: the length in 24 bits, the type, the flags, the stream.
FRAME = struct.Struct("!BHBBI")
PREFACE_BYTES = 24
DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
ACK, END_STREAM, END_HEADERS = 1, 1, 4
STATUS_200 = b"\x88"
"""The entry 8 of HPACK's static table."""


@dataclass(frozen=True, slots=True)
class PushSink:
    """Where the sink listens."""

    url: str
    apns_url: str


@contextmanager
def running_push_sink() -> Iterator[PushSink]:
    """A sink in a process of its own, for as long as the block runs."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield PushSink(*(f"http://127.0.0.1:{port}" for port in ours.recv()))
    finally:
        process.terminate()
        process.join()


class _Http1(asyncio.Protocol):
    _received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment] # uvloop's are no subclasses

    def data_received(self, data: bytes) -> None:
        self._received += data
        answers = 0
        while self._take_request():
            answers += 1
        self._transport.write(ANSWER * answers)

    def _take_request(self) -> bool:
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return False
        _, _, length = head.lower().partition(LENGTH)
        body_bytes = int(length.partition(b"\r\n")[0] or 0)
        if len(rest) < body_bytes:
            return False
        self._received = rest[body_bytes:]
        return True


class _Http2(asyncio.Protocol):
    """Knows just as much of HTTP/2 as a client of one kind of request needs."""

    _received = b""
    _greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment] # uvloop's are no subclasses
        window = struct.pack("!I", 2**30)
        transport.write(_frame(SETTINGS, 0, 0) + _frame(WINDOW_UPDATE, 0, 0, window))  # type: ignore[attr-defined] # as above

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._greeted:
            if len(self._received) < PREFACE_BYTES:
                return
            self._greeted, self._received = True, self._received[PREFACE_BYTES:]
        self._transport.write(b"".join(self._answers()))

    def _answers(self) -> Iterator[bytes]:
        while len(self._received) >= FRAME.size:
            high, low, kind, flags, stream = FRAME.unpack_from(self._received)
            end = FRAME.size + (high << 16 | low)
            if len(self._received) < end:
                return
            payload, self._received = self._received[FRAME.size : end], self._received[end:]
            if kind in {DATA, HEADERS} and flags & END_STREAM:
                yield _frame(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200)
            elif kind in {SETTINGS, PING} and not flags & ACK:
                yield _frame(kind, ACK, 0, payload if kind == PING else b"")


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return FRAME.pack(0, len(payload), kind, flags, stream) + payload


def _serve(ready: Connection) -> None:
    uvloop.run(_serve_for_ever(ready))


async def _serve_for_ever(ready: Connection) -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(kind, "127.0.0.1", 0) for kind in (_Http1, _Http2)]
    ready.send([server.sockets[0].getsockname()[1] for server in servers])
    await asyncio.gather(*(server.serve_forever() for server in servers))
