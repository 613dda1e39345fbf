"""The bytes of one SMTP connection: commands out, replies in, in step."""

import asyncio
import re
import ssl
from collections import deque
from dataclasses import dataclass
from typing import Final

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_MAX_REPLY_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered to one command (RFC 5321, section 4.2)."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The words on one line."""
        return " ".join(self.lines)

    @property
    def positive(self) -> bool:
        """Whether the command was carried out."""
        return self.code < 300  # noqa: PLR2004 - RFC 5321, section 4.2.1

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class Wire(asyncio.Protocol):
    """One connection. Several commands may be under way at once (RFC 2920): replies come in their order."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._expected = 1  # the greeting
        self._waiter: asyncio.Future[None] | None = None
        self._end: str | None = None

    @property
    def in_step(self) -> bool:
        """Whether the connection is open, and every command has had its answer taken."""
        return self._end is None and not (self._expected or self._replies or self._buffer)

    @property
    def own_address(self) -> str:
        """The IP address of this end, without a zone."""
        name = self._transport.get_extra_info("sockname") if self._transport else None
        return str(name[0]).partition("%")[0] if name else "127.0.0.1"

    def send(self, data: bytes, *, answers: int = 1) -> None:
        """Write commands that get so many answers.

        Raises:
            ConnectionError: the connection has ended.
        """
        if self._end is not None or self._transport is None:
            raise ConnectionError(self._end or "The connection was never made")
        self._expected += answers
        self._transport.write(data)

    async def reply(self, seconds: float) -> Reply:
        """The next answer.

        Raises:
            ConnectionError: the connection has ended, or what came was no reply.
            TimeoutError: none came within `seconds`.
        """
        while not self._replies:
            if self._end is not None:
                raise ConnectionError(self._end)
            await self._more(seconds)
        return self._replies.popleft()

    async def start_tls(self, context: ssl.SSLContext, host: str, seconds: float) -> None:
        """Encrypt from here on.

        Raises:
            ConnectionError: something was said that TLS would not protect (RFC 3207, section 4.2).
            OSError, TimeoutError: the handshake failed; `ssl.SSLError` is an OSError.
        """
        if not self.in_step or self._transport is None:
            raise ConnectionError("The server spoke in plain text after it had agreed to TLS")
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds):
            self._transport = await loop.start_tls(self._transport, self, context, server_hostname=host)
        if self._transport is None:
            raise ConnectionError("The connection was lost in the TLS handshake")

    def close(self) -> None:
        """Close once what was written is out."""
        self._finish("The connection is closed")
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._finish("The connection is closed")
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """For asyncio: the connection is open."""
        self._transport = transport  # type: ignore[assignment] # uvloop's are no subclasses of asyncio's

    def connection_lost(self, error: Exception | None) -> None:
        """For asyncio: the connection is gone."""
        self._finish(f"The connection was lost: {error}" if error else "The server closed the connection")

    def data_received(self, data: bytes) -> None:
        """For asyncio: more of a reply, or several."""
        self._buffer += data
        while self._end is None and (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).removesuffix(b"\r")
            del self._buffer[: end + 1]
            self._take(line)
        if len(self._buffer) + sum(map(len, self._lines)) > _MAX_REPLY_BYTES:
            self._break(f"The server's reply is longer than {_MAX_REPLY_BYTES} bytes")

    async def _more(self, seconds: float) -> None:
        # A bare timer costs a fraction of asyncio.timeout, and an email has three waits.
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        timer = loop.call_later(seconds, _give_up, waiter, seconds)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _take(self, line: bytes) -> None:
        found = _LINE.fullmatch(line)
        if found is None:
            self._break(f"The server does not speak SMTP, it said {line[:100]!r}")
            return
        self._lines.append((found[3] or b"").strip().decode(errors="replace"))
        if found[2] == b"-":
            return
        reply = Reply(int(found[1]), tuple(self._lines))
        self._lines.clear()
        if not self._expected:
            # Unasked, a server says 421: it is closing (RFC 5321, section 3.8).
            self._break(f"The server said {reply}")
            return
        self._expected -= 1
        self._replies.append(reply)
        self._wake()

    def _break(self, why: str) -> None:
        self._finish(why)
        if self._transport is not None:
            self._transport.abort()

    def _finish(self, why: str) -> None:
        if self._end is None:
            self._end = why
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _give_up(waiter: asyncio.Future[None], seconds: float) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError(f"No answer within {seconds:g} s"))
