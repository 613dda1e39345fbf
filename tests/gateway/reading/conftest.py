"""A gateway behind a real port, workers' reports, and a reader of server-sent events."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from gateway.conftest import API_KEY, TEST_API_KEY, NewBody
from support.ports import free_port
from support.servers import PATIENCE
from support.serving import serving
from support.world import World
from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import StatusEvent, StatusReport
from tidings.contracts.queues import STATUS_QUEUE, topology
from tidings.gateway.app import open_app
from tidings.gateway.settings import GatewaySettings
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Broker, Message
from tidings.kit.ids import now


@dataclass(frozen=True)
class Event:
    """One event as it came."""

    id: str | None
    kind: str
    data: dict[str, Any]


@dataclass
class Reader:
    """An open stream."""

    answer: httpx.Response
    _lines: AsyncIterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self._lines = self.answer.aiter_lines()

    async def next(self) -> Event | None:
        """The next event; None at the end of the stream."""
        fields: dict[str, str] = {}
        async for line in self._lines:
            name, _, value = line.partition(": ")
            if line == "" and "data" in fields:
                return Event(fields.get("id"), fields["event"], json.loads(fields["data"]))
            fields |= {name: value} if name else {}
        return None

    async def take(self, count: int) -> list[Event]:
        """So many events."""
        events = [await self.next() for _ in range(count)]
        return [event for event in events if event is not None]

    async def rest(self) -> list[Event]:
        """Whatever comes until the stream ends."""
        events = []
        while event := await self.next():
            events.append(event)
        return events


Follow = Callable[..., AbstractAsyncContextManager[Reader]]


@dataclass(frozen=True)
class Workers:
    """What callers and workers do: send, and report."""

    gateway: httpx.AsyncClient
    broker: Broker
    new_body: NewBody

    async def accept(self, **changed: object) -> UUID:
        """A notification that no worker has seen."""
        answer = await self.gateway.post("/v1/notifications", json=self.new_body(**changed))
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    async def report(self, events: Sequence[StatusEvent]) -> None:
        """One report of them all."""
        body = msgspec.json.encode(StatusReport(events=list(events)))
        await self.broker.publish(STATUS_QUEUE, [Message(str(uuid4()), body)])


def step(
    notification_id: UUID, status: Status, attempt: int = 1, reason: Reason | None = None
) -> StatusEvent:
    """What a worker reports."""
    return StatusEvent(
        notification_id=notification_id,
        status=status,
        at=now(),
        attempt=attempt,
        reason=reason,
        provider="smtp",
    )


def told(events: Sequence[Event]) -> list[tuple[str, int]]:
    """The steps among events, each with its attempt."""
    return [(event.data["status"], event.data["attempt"]) for event in events if event.kind == "step"]


def reader_of(url: str, key: str = API_KEY) -> Follow:
    """Opens streams of the gateway at a URL."""

    @asynccontextmanager
    async def follow(path: str, *, after: str | None = None, **query: Any) -> AsyncIterator[Reader]:  # noqa: ANN401 - what a query may hold
        headers = {"Authorization": f"Bearer {key}"} | ({"Last-Event-ID": after} if after else {})
        async with (
            httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as http,
            http.stream("GET", path, params=query) as answer,
        ):
            assert answer.status_code == 200, await answer.aread()
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield Reader(answer)

    return follow


@pytest.fixture(scope="session")
async def follow(settings: GatewaySettings) -> AsyncIterator[Follow]:
    """Opens streams of a gateway that is not the one which takes the requests."""
    async with open_app(settings) as app, serving(app, free_port()) as url:
        yield reader_of(url)


@pytest.fixture
async def follow_anew(settings: GatewaySettings) -> AsyncIterator[Follow]:
    """Opens streams of a gateway that had none before, so that what was missed is read from the table."""
    async with open_app(settings) as app, serving(app, free_port()) as url:
        yield reader_of(url)


@pytest.fixture
async def follow_tests(settings: GatewaySettings) -> AsyncIterator[Follow]:
    """Opens streams with the test key."""
    async with open_app(settings) as app, serving(app, free_port()) as url:
        yield reader_of(url, TEST_API_KEY)


@pytest.fixture
async def workers(gateway: httpx.AsyncClient, world: World, new_body: NewBody) -> AsyncIterator[Workers]:
    """The gateway that takes requests, and its status queue."""
    async with open_broker(world.broker_url, topology(), publish_limit=PATIENCE) as broker:
        yield Workers(gateway, broker, new_body)


@pytest.fixture
async def person(world: World) -> str:
    """Somebody whom no other test notifies."""
    return await world.add_user(email=f"{uuid4()}@example.com")
