"""An SMTP server that says yes to everything and counts: the cheapest other end there can be."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import Structure, c_double, c_int64
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import RawValue
from time import monotonic
from typing import Any

import uvloop

GREETING = b"220 sink\r\n"
OK = b"250 OK\r\n"
GO_ON = b"354 Go on\r\n"
EXTENSIONS = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
GOODBYE = b"221 Bye\r\n"
END = b"\r\n.\r\n"


class Counts(Structure):
    """What has arrived; `first` and `last` are moments on the monotonic clock that all processes share."""

    _fields_ = (("mails", c_int64), ("octets", c_int64), ("first", c_double), ("last", c_double))


class Sink:
    """A running sink: its port, its process, and what it counts."""

    def __init__(self, port: int, pid: int, counts: Any) -> None:  # noqa: ANN401 - ctypes has no type for it
        self.port = port
        self.pid = pid
        self._counts = counts

    @property
    def mails(self) -> int:
        """Emails taken since the last reset."""
        return int(self._counts.mails)

    @property
    def mean_octets(self) -> float:
        """Their mean size."""
        return float(self._counts.octets / self._counts.mails)

    @property
    def seconds(self) -> float:
        """From the first one to the last one."""
        return float(self._counts.last - self._counts.first)

    def reset(self) -> None:
        """Count from zero."""
        self._counts.mails = self._counts.octets = 0


@contextmanager
def running_sink() -> Iterator[Sink]:
    """A sink in a process of its own, for as long as the block runs."""
    context = multiprocessing.get_context("spawn")
    counts = RawValue(Counts)
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, counts), daemon=True)
    process.start()
    try:
        yield Sink(ours.recv(), process.pid or 0, counts)
    finally:
        process.terminate()
        process.join()


class _Conversation(asyncio.Protocol):
    def __init__(self, counts: Any) -> None:  # noqa: ANN401 - as above
        self._counts = counts
        self._buffer = b""
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment] # uvloop's are no subclasses
        self._transport.write(GREETING)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answers = []
        while (answer := self._take_data() if self._in_data else self._take_command()) is not None:
            answers.append(answer)
        if answers:
            self._transport.write(b"".join(answers))

    def _take_command(self) -> bytes | None:
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            return None
        self._buffer = rest
        verb = line[:4].upper()
        self._in_data = verb == b"DATA"
        return {b"EHLO": EXTENSIONS, b"DATA": GO_ON, b"QUIT": GOODBYE}.get(verb, OK)

    def _take_data(self) -> bytes | None:
        content, found, rest = self._buffer.partition(END)
        if not found:
            return None
        self._buffer, self._in_data = rest, False
        counts = self._counts
        counts.last = monotonic()
        if not counts.mails:
            counts.first = counts.last
        counts.mails += 1
        counts.octets += len(content)
        return OK


def _serve(ready: Connection, counts: Any) -> None:  # noqa: ANN401 - as above
    uvloop.run(_serve_for_ever(ready, counts))


async def _serve_for_ever(ready: Connection, counts: Any) -> None:  # noqa: ANN401 - as above
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Conversation(counts), "127.0.0.1", 0)
    ready.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()
