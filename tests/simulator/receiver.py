"""A receiver of events: a real server that keeps what it got, and answers as told."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from multidict import CIMultiDictProxy

from simulator.running import Simulator
from support.polling import eventually


@dataclass(frozen=True)
class Got:
    """One request."""

    body: bytes
    headers: CIMultiDictProxy[str]


@dataclass
class Receiver:
    """Where it listens, what it got, and the statuses it answers first; then 200."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.got.append(Got(await request.read(), request.headers))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200, text="answered")

    async def wait_for(self, count: int) -> list[Got]:
        """What it got, once that is so many requests."""
        await eventually(lambda: len(self.got) >= count)
        return self.got


@asynccontextmanager
async def listening() -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/events", receiver.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}/events"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def subscribe(simulator: Simulator, *targets: dict[str, object]) -> None:
    """Have events sent to these."""
    answer = await simulator.http.put("/api/webhooks", json=list(targets))
    assert answer.status_code == 200, answer.text


def texts(requests: Iterable[Got]) -> list[str]:
    """The bodies as text."""
    return [request.body.decode() for request in requests]
