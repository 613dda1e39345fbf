"""One HTTP/2 connection: many requests side by side, each with an end that can be told (RFC 9113).

General clients give up every open request when a server says GOAWAY. Apple says it whenever it takes a
server out of service, and still answers what it took: giving up would make an unknown outcome of each.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from hpack import HeaderTuple, NeverIndexedHeaderTuple

from tidings.push.providers.calling import MAX_REPLY_BYTES, Reply

FAREWELL_SECONDS = 2.0

_FRAME_HEADER_BYTES = 9
_GOAWAY = 7
_NEW_EACH_TIME = frozenset({":path", "apns-id", "apns-expiration", "apns-collapse-id"})


class Unprocessed(Exception):
    """The server surely did not begin with the request: it may be sent again."""


class Lost(Exception):
    """The request was sent and no whole answer came."""


@dataclass(slots=True)
class _Exchange:
    answer: asyncio.Future[Reply]
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


class Connection(asyncio.Protocol):
    """A connection to one server. It is ready once the server has said how much it takes."""

    def __init__(self, scheme: str, authority: str) -> None:
        self._address = [(":method", "POST"), (":scheme", scheme), (":authority", authority)]
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self._h2 = h2.connection.H2Connection(config)
        self._h2.local_settings = h2.settings.Settings(
            client=True, initial_values={h2.settings.SettingCodes.ENABLE_PUSH: 0}
        )
        self._received = bytearray()
        self._exchanges: dict[int, _Exchange] = {}
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._transport: asyncio.Transport
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.takes_more = True

    async def request(self, path: str, headers: Mapping[str, str], body: bytes, *, seconds: float) -> Reply:
        """Send one request, as soon as the server takes another, and wait for its answer: `seconds` in all.

        Raises:
            Unprocessed, Lost: there is no answer.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                await self._room(len(body))
        except TimeoutError as error:
            self.retire()
            raise Unprocessed(f"the server took no further request within {seconds:g} s") from error
        stream = self._send(path, headers, body)
        exchange = self._exchanges[stream] = _Exchange(asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout_at(deadline):
                return await exchange.answer
        except TimeoutError as error:
            # Whatever holds up this answer may be the connection itself.
            self.retire()
            raise Lost(f"it did not come within {seconds:g} s") from error
        finally:
            if self._exchanges.pop(stream, None) is not None:
                self._cancel(stream)
            self._proceed()

    def retire(self) -> None:
        """Take no more requests, and close once those under way have ended."""
        self.takes_more = False
        self._proceed()

    async def close(self) -> None:
        """Close at once."""
        self.takes_more = False
        if not self._transport.is_closing():
            self._h2.close_connection()
            self._flush()
            self._shut()
        await self.closed

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # TCP and TLS have whole ones
        """Greet the server."""
        self._transport = transport
        self._h2.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take in frames; GOAWAY is ours, since after it the library would take in no more answers."""
        self._received += data
        try:
            for frame in self._frames():
                if frame[3] == _GOAWAY:
                    self._going_away(*struct.unpack_from("!II", frame, _FRAME_HEADER_BYTES))
                else:
                    self._take_in(self._h2.receive_data(frame))
        except (h2.exceptions.ProtocolError, struct.error) as error:
            self._fail(Lost(f"the server does not keep to HTTP/2: {error!r}"))
            self._transport.abort()
            return
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        """No answer can come any more."""
        self.takes_more = False
        if not self.ready.done():
            self.ready.set_exception(error or ConnectionResetError("closed before it was ready"))
        self._fail(Lost(f"the connection was closed: {error!r}"))
        self._proceed()
        self.closed.set_result(None)

    async def _room(self, size: int) -> None:
        """Wait until the server takes another request of this size."""
        while self.takes_more and (
            self._h2.open_outbound_streams >= self._h2.remote_settings.max_concurrent_streams
            or self._h2.outbound_flow_control_window < size
        ):
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        if not self.takes_more:
            raise Unprocessed("the connection is closing")

    def _send(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        try:
            stream = self._h2.get_next_available_stream_id()
        except h2.exceptions.NoAvailableStreamIDError as error:
            self.retire()
            raise Unprocessed("the connection has numbered all the requests it can") from error
        self._h2.send_headers(stream, list(self._fields(path, headers)))
        self._h2.send_data(stream, body, end_stream=True)
        self._flush()
        return stream

    def _proceed(self) -> None:
        """Let those look again that wait for room; close when nothing is left to do."""
        turns, self._waiting = self._waiting, deque()
        for turn in turns:
            if not turn.done():
                turn.set_result(None)
        if not self.takes_more and not self._exchanges and not self._transport.is_closing():
            self._shut()

    def _shut(self) -> None:
        self._transport.close()
        # What is still to be written has nobody who reads it, if the network is gone.
        asyncio.get_running_loop().call_later(FAREWELL_SECONDS, self._transport.abort)

    def _fields(self, path: str, headers: Mapping[str, str]) -> Iterator[HeaderTuple]:
        for name, value in (*self._address, (":path", path), *headers.items()):
            # What differs each time would only push out of the server's table what does not.
            kind = NeverIndexedHeaderTuple if name in _NEW_EACH_TIME else HeaderTuple
            yield kind(name, value)

    def _frames(self) -> Iterator[bytes]:
        while len(self._received) >= _FRAME_HEADER_BYTES:
            size = int.from_bytes(self._received[:3], "big")
            if size > self._h2.max_inbound_frame_size:
                raise h2.exceptions.FrameTooLargeError(f"a frame of {size} bytes")
            end = _FRAME_HEADER_BYTES + size
            if len(self._received) < end:
                return
            frame = bytes(self._received[:end])
            del self._received[:end]
            yield frame

    def _take_in(self, events: list[h2.events.Event]) -> None:
        for event in events:
            match event:
                case h2.events.RemoteSettingsChanged():
                    if not self.ready.done():
                        self.ready.set_result(None)
                    self._proceed()
                case h2.events.WindowUpdated():
                    self._proceed()
                case h2.events.StreamEnded(stream_id=int(stream)):
                    self._end(stream)
                case h2.events.StreamReset(stream_id=int(stream)):
                    refused = event.error_code == h2.errors.ErrorCodes.REFUSED_STREAM
                    kind = Unprocessed if refused else Lost
                    self._end(stream, kind(f"the server reset the request: {event.error_code!r}"))
                case h2.events.ResponseReceived() | h2.events.DataReceived():
                    self._collect(event)

    def _collect(self, event: h2.events.ResponseReceived | h2.events.DataReceived) -> None:
        exchange = self._exchanges.get(event.stream_id or 0)
        if isinstance(event, h2.events.DataReceived):
            self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
            if exchange is not None and len(exchange.body) < MAX_REPLY_BYTES:
                exchange.body += event.data or b""
        elif exchange is not None:
            exchange.headers = {str(name): str(value) for name, value in event.headers or ()}
            exchange.status = int(exchange.headers.get(":status", "0"))

    def _going_away(self, last_stream: int, code: int) -> None:
        """The server takes no more requests, and tells which was the last that it took."""
        for stream in [each for each in self._exchanges if each > (last_stream & 0x7FFFFFFF)]:
            self._end(stream, Unprocessed(f"the server said GOAWAY ({code}) before it took the request"))
        self.retire()

    def _end(self, stream: int, failure: Exception | None = None) -> None:
        exchange = self._exchanges.pop(stream, None)
        if exchange is None or exchange.answer.done():
            return
        if failure is not None:
            exchange.answer.set_exception(failure)
        else:
            exchange.answer.set_result(Reply(exchange.status, exchange.headers, bytes(exchange.body)))

    def _fail(self, failure: Exception) -> None:
        for stream in list(self._exchanges):
            self._end(stream, failure)

    def _cancel(self, stream: int) -> None:
        """Tell the server that nobody waits for this answer any more."""
        try:
            self._h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        except h2.exceptions.ProtocolError:
            return
        self._flush()

    def _flush(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._h2.data_to_send())
