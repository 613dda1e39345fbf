"""One HTTP/2 connection: frames in, whole requests to the desk, answers out."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from hyperframe.frame import GoAwayFrame

MAX_BODY_BYTES = 64 * 1024
LINGER_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. With `farewell` the connection says GOAWAY first."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    farewell: bool = False


class End(Enum):
    """A request that is not answered, and what the connection does in place of it."""

    ABORT = auto()
    GOAWAY_UNPROCESSED = auto()
    GOAWAY_PROCESSED = auto()


Desk = Callable[[Mapping[str, str], bytes], Awaitable[Answer | End]]


@dataclass(slots=True)
class _Request:
    headers: Mapping[str, str]
    body: bytearray = field(default_factory=bytearray)


class Connection(asyncio.Protocol):
    """Serves requests side by side. It is in `alive` from its first byte to its last."""

    def __init__(self, desk: Desk, alive: set["Connection"]) -> None:
        self._desk = desk
        self._alive = alive
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        self._requests: dict[int, _Request] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._answered = 0
        self._last: int | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # a TCP server's transports are whole ones
        """Greet the client."""
        self._transport = transport
        self._alive.add(self)
        self._h2.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take in frames."""
        try:
            events = self._h2.receive_data(data)
        except h2.exceptions.ProtocolError:
            self._flush()  # h2 has the GOAWAY ready that says what was wrong
            self._transport.close()
            return
        for event in events:
            self._take_in(event)
        self._flush()

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget what is under way."""
        self._alive.discard(self)
        for task in self._tasks:
            task.cancel()

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def _take_in(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived(stream_id=int(stream), headers=list(headers)):
                self._requests[stream] = _Request({str(name): str(value) for name, value in headers})
            case h2.events.DataReceived(stream_id=int(stream), data=bytes(data)):
                self._h2.acknowledge_received_data(event.flow_controlled_length or 0, stream)
                if stream in self._requests and len(self._requests[stream].body) <= MAX_BODY_BYTES:
                    self._requests[stream].body += data
            case h2.events.StreamEnded(stream_id=int(stream)):
                if stream in self._requests:
                    self._start(stream, self._requests.pop(stream))
            case h2.events.StreamReset(stream_id=int(stream)):
                self._requests.pop(stream, None)
            case h2.events.ConnectionTerminated():
                self._transport.close()

    def _start(self, stream: int, request: _Request) -> None:
        if self._last is not None and stream > self._last:
            return  # the client was told that nothing beyond is looked at
        task = asyncio.get_running_loop().create_task(self._serve(stream, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, stream: int, request: _Request) -> None:
        answer = await self._desk(request.headers, bytes(request.body))
        if answer is End.ABORT:
            self.abort()
        elif isinstance(answer, Answer):
            if answer.farewell:
                self._say_farewell()
            self._answer(stream, answer)
        else:
            last = stream if answer is End.GOAWAY_PROCESSED else self._answered
            self._h2.close_connection(last_stream_id=last)
            self._flush()
            self._linger()

    def _say_farewell(self) -> None:
        # The library would send nothing after a GOAWAY of its own.
        self._last = self._h2.highest_inbound_stream_id
        self._transport.write(GoAwayFrame(0, last_stream_id=self._last).serialize())
        self._linger()

    def _linger(self) -> None:
        # To close with requests still unread would make the system take back what the client has not read.
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.close)

    def _answer(self, stream: int, answer: Answer) -> None:
        headers = [(":status", str(answer.status)), *answer.headers.items()]
        try:
            self._h2.send_headers(stream, headers, end_stream=not answer.body)
            if answer.body:
                self._h2.send_data(stream, answer.body, end_stream=True)
        except h2.exceptions.ProtocolError:
            return  # the client has given this request up
        self._answered = max(self._answered, stream)
        self._flush()

    def _flush(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._h2.data_to_send())
