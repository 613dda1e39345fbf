"""A cancelled push: it goes to all of a person's devices, or to none."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import msgspec
import pytest
from redis.asyncio import Redis

from push.outside import end_of, misbehave, publish, pushes_to
from simulator.running import Simulator
from support.polling import eventually
from support.ports import free_port
from support.reports import Reports
from support.serving import ServiceProcess, service_process
from support.world import World
from tidings.contracts.codes import Status
from tidings.gateway.cancelling.ledger import CancelLedger
from tidings.kit.broker.port import Broker
from tidings.kit.cache import open_redis
from tidings.push.settings import PushSettings

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
async def worker(settings: PushSettings, simulator: Simulator) -> AsyncIterator[ServiceProcess]:
    """A push service of its own for each, with closed breakers, that does not give up before a cancel."""
    del simulator  # well-behaved before the service starts
    stubborn = msgspec.structs.replace(settings, port=free_port(), max_attempts=50)
    async with service_process("push", stubborn) as worker:
        yield worker


@pytest.fixture(scope="module")
async def redis(world: World) -> AsyncIterator[Redis]:
    """A client of the worker's server."""
    async with open_redis(world.cache_url) as redis:
        yield redis


@pytest.fixture
async def devices(world: World, user_id: str, token: str) -> list[str]:
    """Two devices of one person."""
    other = f"device-{uuid4()}"
    await world.add_device(user_id, other)
    return [token, other]


async def told(redis: Redis, notification_id: UUID) -> bool:
    """Whether a gateway's cancel is taken; one who hears nothing, since Redis is busy, asks again."""
    said: dict[UUID, bool] = {}
    while not said:
        said = await CancelLedger(redis).bar([notification_id])
    return said[notification_id]


async def test_no_device_gets_it(
    *, broker: Broker, reports: Reports, redis: Redis, simulator: Simulator, user_id: str, devices: list[str]
) -> None:
    """Cancelled after the first attempt has failed for both, it is tried no more and has one end."""
    await misbehave(simulator, {"status": 503})
    message = await publish(broker, user_id)
    await reports.next_of(message.notification_id)
    await eventually(lambda: told(redis, message.notification_id))
    await misbehave(simulator)
    end = await end_of(reports, message)
    assert (end.status, end.target) == (Status.CANCELLED, None)
    assert [await pushes_to(simulator, device) for device in devices] == [[], []]


async def test_every_device_gets_it(
    *, broker: Broker, reports: Reports, redis: Redis, simulator: Simulator, user_id: str, devices: list[str]
) -> None:
    """Once one device has it a cancel is refused, and the other one, which had to wait, gets it too."""
    await misbehave(simulator, {"status": 503, "match": devices[1]})
    message = await publish(broker, user_id)
    assert (await end_of(reports, message)).status is Status.SENT
    assert not await told(redis, message.notification_id)
    await misbehave(simulator)
    await eventually(lambda: arrived(simulator, devices[1]))
    assert len(await pushes_to(simulator, devices[0])) == 1


async def arrived(simulator: Simulator, device: str) -> bool:
    """Whether the device has got something."""
    return bool(await pushes_to(simulator, device))
