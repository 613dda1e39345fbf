"""Notifications followed live with the public SDK, over connections that are lost."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from itertools import count
from uuid import UUID, uuid4

import httpx
import pytest

from gateway.conftest import API_KEY, NewBody
from gateway.reading.conftest import Workers, step
from support.ports import free_port
from support.relay import Relay, relay_to
from support.servers import PATIENCE
from support.serving import serving
from support.world import World, fresh_address
from tidings.client import RemoteProblem, RemoteUnavailable, Tidings
from tidings.client.following import LiveStep
from tidings.contracts.codes import Status
from tidings.contracts.queues import topology
from tidings.gateway.app import open_app
from tidings.gateway.settings import GatewaySettings
from tidings.kit.broker import open_broker


@pytest.fixture(scope="module")
async def relayed(settings: GatewaySettings) -> AsyncIterator[tuple[str, Relay]]:
    """The URL of a gateway, and the relay in front of it."""
    port = free_port()
    async with open_app(settings) as app, serving(app, port), relay_to(port) as relayed:
        yield relayed


@pytest.fixture(scope="module")
async def tidings(relayed: tuple[str, Relay]) -> AsyncIterator[Tidings]:
    url, _ = relayed
    async with Tidings(url, API_KEY) as tidings:
        yield tidings


@pytest.fixture(scope="module")
def relay(relayed: tuple[str, Relay]) -> Relay:
    return relayed[1]


@pytest.fixture
async def workers(gateway: httpx.AsyncClient, world: World, new_body: NewBody) -> AsyncIterator[Workers]:
    """What takes notifications, and reports what becomes of them."""
    async with open_broker(world.broker_url, topology(), publish_limit=PATIENCE) as broker:
        yield Workers(gateway, broker, new_body)


async def take(steps: AsyncGenerator[LiveStep, None], count: int) -> list[tuple[Status, int]]:
    found = [await anext(steps) for _ in range(count)]
    return [(one.status, one.attempt) for one in found]


async def test_one_notification_over_lost_connections(
    tidings: Tidings, relay: Relay, workers: Workers
) -> None:
    """However often the connection is lost, each step comes once, and the last is followed by the end."""
    one, before = await workers.accept(), relay.connections
    steps = tidings.notifications.events(one)
    assert await take(steps, 2) == [(Status.ACCEPTED, 0), (Status.QUEUED, 0)]
    relay.cut()
    await workers.report([step(one, Status.RETRYING, 1)])
    assert await take(steps, 1) == [(Status.RETRYING, 1)]
    relay.cut()
    await workers.report([step(one, Status.RETRYING, 2), step(one, Status.SENT, 3)])
    assert [(found.status, found.attempt) async for found in steps] == [
        (Status.RETRYING, 2),
        (Status.SENT, 3),
    ]
    assert relay.connections - before >= 3


async def test_a_settled_notification(tidings: Tidings, workers: Workers) -> None:
    """What is over is told from the start, or after a step that the reader has; `follow` waits for more."""
    one = await workers.accept()
    await workers.report([step(one, Status.SENT)])
    told = [found async for found in tidings.notifications.events(one)]
    assert [found.status for found in told] == [Status.ACCEPTED, Status.QUEUED, Status.SENT]
    assert {(found.notification_id, found.template_id) for found in told} == {(one, "welcome")}
    rest = tidings.notifications.events(one, after=told[1].event_id)
    assert [found.status async for found in rest] == [Status.SENT]
    async with aclosing(tidings.notifications.events(one, follow=True, after=told[-1].event_id)) as steps:
        await workers.report([step(one, Status.DELIVERED, 0)])
        assert await take(steps, 1) == [(Status.DELIVERED, 0)]


async def test_the_feed_over_lost_connections(
    tidings: Tidings, relay: Relay, workers: Workers, world: World
) -> None:
    """The feed goes on after the last step that came, with what was reported in between, and as filtered."""
    person = await world.add_user(email=fresh_address())
    probe, one, two = [await workers.accept(user_id=person) for _ in range(3)]
    other = await workers.accept()
    wanted = {Status.RETRYING, Status.SENT, Status.FAILED}
    async with aclosing(tidings.notifications.feed(user_id=person, status=wanted)) as steps:
        await opened(steps, workers, probe)
        relay.cut()
        await workers.report([step(other, Status.SENT), step(one, Status.PARKED), step(one, Status.SENT)])
        first = await next_but(steps, probe)
        await workers.report([step(two, Status.FAILED)])
        second = await next_but(steps, probe)
    assert [(found.notification_id, found.status) for found in (first, second)] == [
        (one, Status.SENT),
        (two, Status.FAILED),
    ]
    async with aclosing(tidings.notifications.feed(user_id=person, after=first.event_id)) as steps:
        assert (await next_but(steps, probe)).event_id == second.event_id


async def opened(steps: AsyncGenerator[LiveStep, None], workers: Workers, probe: UUID) -> None:
    """Report until a step comes: nothing else tells a reader that the feed is open."""
    first, attempts = asyncio.ensure_future(anext(steps)), count(1)
    while not first.done():
        await workers.report([step(probe, Status.RETRYING, next(attempts))])
        await asyncio.wait([first], timeout=0.1)
    assert (await first).notification_id == probe


async def next_but(steps: AsyncGenerator[LiveStep, None], probe: UUID) -> LiveStep:
    while (found := await anext(steps)).notification_id == probe:
        pass
    return found


async def test_what_is_refused(tidings: Tidings) -> None:
    """A notification that is not there is told as such, and not asked for again."""
    with pytest.raises(RemoteProblem) as caught:
        await anext(tidings.notifications.events(uuid4()))
    assert caught.value.code == "unknown_notification"


async def test_no_gateway() -> None:
    """Where nobody listens for as long as the reader is patient, that is the error."""
    async with Tidings(f"http://127.0.0.1:{free_port()}", API_KEY) as tidings:
        with pytest.raises(RemoteUnavailable):
            await anext(tidings.notifications.feed(patience=0.2))
