"""A lean HTTP client as a process of its own, so that measuring a server costs little beside it.

It reads a `Job` as JSON from standard input, and prints a `Result` as JSON. One request is under way on
each connection; bodies differ in their number only. A request costs it some 30 microseconds.
"""

import asyncio
import sys
from collections import Counter
from time import perf_counter, process_time
from typing import cast

import msgspec
import uvloop


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """`requests` requests, as fast as they are answered or, with a `rate`, so many a second.

    `bodies` are sent in turn; `@N@` in them becomes a number that none had before.
    """

    host: str
    port: int
    path: str
    key: str
    bodies: list[str]
    requests: int
    connections: int
    rate: float | None = None
    first: int = 0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. Times are in seconds and ascending; `cpu` is what this client used.

    `late`: by how much a request was sent after its turn, at most, where there was a rate.
    """

    seconds: float
    statuses: dict[str, int]
    times: list[float]
    cpu: float
    late: float = 0.0

    def percentile(self, percent: float) -> float:
        """The time within which so many of 100 requests were answered, in seconds."""
        return self.times[min(len(self.times) - 1, int(len(self.times) * percent / 100))]


class _Connection(asyncio.Protocol):
    """One request at a time; `answered` is called with the connection after each."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._received = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._load.broken(error)

    def send(self, request: bytes) -> None:
        self._began = perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        _, _, length = head.lower().partition(b"content-length:")
        if len(body) < int(length.split(b"\r\n", 1)[0]):
            return
        self._received = b""
        self._load.answered(self, head[9:12].decode(), perf_counter() - self._began)

    def close(self) -> None:
        self._transport.abort()


class _Load:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._numbers = iter(range(job.first, job.first + job.requests))
        self._head = (
            f"POST {job.path} HTTP/1.1\r\nHost: {job.host}\r\nAuthorization: Bearer {job.key}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        self._bodies = [body.encode() for body in job.bodies]
        self._statuses: Counter[str] = Counter()
        self._times: list[float] = []
        self._connections: list[_Connection] = []
        self._idle: asyncio.Queue[_Connection] = asyncio.Queue()
        self._late = 0.0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> Result:
        loop, job = asyncio.get_running_loop(), self._job
        for _ in range(job.connections):
            _, connection = await loop.create_connection(lambda: _Connection(self), job.host, job.port)
            self._connections.append(connection)
        began, used = perf_counter(), process_time()
        if job.rate is None:
            for connection in self._connections:
                self._send_next(connection)
        else:
            await self._at_rate(began, job.rate)
        await self._done
        seconds, cpu = perf_counter() - began, process_time() - used
        for connection in self._connections:
            connection.close()
        return Result(
            seconds=seconds,
            statuses=dict(self._statuses),
            times=sorted(self._times),
            cpu=cpu,
            late=self._late,
        )

    async def _at_rate(self, began: float, rate: float) -> None:
        for connection in self._connections:
            self._idle.put_nowait(connection)
        for number in range(self._job.requests):
            turn = began + number / rate
            await asyncio.sleep(max(0.0, turn - perf_counter()))
            connection = await self._idle.get()
            self._late = max(self._late, perf_counter() - turn)
            connection.send(self._request(next(self._numbers)))

    def answered(self, connection: _Connection, status: str, seconds: float) -> None:
        self._statuses[status] += 1
        self._times.append(seconds)
        if len(self._times) == self._job.requests:
            self._done.set_result(None)
        if self._job.rate is None:
            self._send_next(connection)
        else:
            self._idle.put_nowait(connection)

    def broken(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(ConnectionError(f"The server closed a connection: {error}"))

    def _send_next(self, connection: _Connection) -> None:
        number = next(self._numbers, None)
        if number is not None:
            connection.send(self._request(number))

    def _request(self, number: int) -> bytes:
        body = self._bodies[number % len(self._bodies)].replace(b"@N@", str(number).encode())
        return b"%s%d\r\n\r\n%s" % (self._head, len(body), body)


async def run_job(job: Job) -> Result:
    """Run a job in a process of its own.

    Raises:
        ChildProcessError: it failed; the words are the client's own.
    """
    client = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await client.communicate(msgspec.json.encode(job))
    if client.returncode:
        raise ChildProcessError(errors.decode())
    return msgspec.json.decode(output, type=Result)


async def _main() -> None:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(await _Load(job).run()))


if __name__ == "__main__":
    uvloop.run(_main())
