"""The push service as a process: people with devices, dead devices, and retries."""

from collections.abc import AsyncIterator
from uuid import uuid4

import msgspec
import pytest

from push.outside import end_of, only_these_stay, publish, pushes_to, tokens_of
from simulator.running import Simulator
from support.polling import eventually
from support.reports import Reports
from support.serving import ServiceProcess, service_process
from support.world import World
from tidings.contracts.codes import Reason, Status
from tidings.contracts.queues import PUSH_QUEUE
from tidings.kit.broker.port import Broker, Message
from tidings.push.settings import PushSettings

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(scope="module")
async def worker(settings: PushSettings) -> AsyncIterator[ServiceProcess]:
    """The push service that the tests share."""
    async with service_process("push", settings) as worker:
        yield worker


async def test_sent(broker: Broker, reports: Reports, simulator: Simulator, user_id: str, token: str) -> None:
    """The device gets the rendered template; Google's name for the message is reported."""
    end = await end_of(reports, await publish(broker, user_id))
    (push,) = await pushes_to(simulator, token)
    assert (end.status, end.provider, end.provider_ref) == (Status.SENT, "fcm", push["name"])
    assert push["message"]["notification"] == {"title": "Welcome, Ada", "body": "Open https://example.com/7"}


async def test_every_device_gets_it_once(
    *, broker: Broker, reports: Reports, world: World, simulator: Simulator, user_id: str, token: str
) -> None:
    """Three devices and three copies of the message: one push each."""
    tokens = [token, *(f"more-{uuid4()}" for _ in range(2))]
    for one in tokens[1:]:
        await world.add_device(user_id, one)
    message = await publish(broker, user_id)
    copy = Message(str(message.notification_id), msgspec.json.encode(message))
    await broker.publish(PUSH_QUEUE, [copy, copy])
    for count in range(3):
        event = await reports.next_of(message.notification_id, after=count)
        assert event.status in {Status.SENT, Status.PARKED}
    assert (await end_of(reports, message)).status is Status.SENT
    # One copy may have reported its part while a device was still in the hands of another.
    await eventually(lambda: all_have_one(simulator, tokens))
    assert [len(await pushes_to(simulator, one)) for one in tokens] == [1, 1, 1]


async def all_have_one(simulator: Simulator, tokens: list[str]) -> bool:
    """Whether each device has got something."""
    return all([await pushes_to(simulator, one) for one in tokens])


async def test_a_dead_device_is_removed(
    *, broker: Broker, reports: Reports, world: World, simulator: Simulator, user_id: str, token: str
) -> None:
    """UNREGISTERED fails at once, and the user service no longer has the token."""
    (await simulator.http.delete(f"/api/fcm/tokens/{token}")).raise_for_status()
    message = await publish(broker, user_id)
    end = await end_of(reports, message)
    assert (end.status, end.reason, end.attempt) == (Status.FAILED, Reason.RECIPIENT_REFUSED, 1)
    assert "UNREGISTERED" in (end.detail or "")
    assert await tokens_of(world, user_id) == []
    again = await end_of(reports, await publish(broker, user_id))
    assert (again.status, again.reason) == (Status.FAILED, Reason.NO_PUSH_TOKEN)


async def test_a_dead_device_beside_a_living_one(
    *, broker: Broker, reports: Reports, world: World, simulator: Simulator, user_id: str, token: str
) -> None:
    """One device of two is dead: the other gets the message, which is sent, and the dead one goes."""
    dead = f"dead-{uuid4()}"
    await world.add_device(user_id, dead)
    (await simulator.http.delete(f"/api/fcm/tokens/{dead}")).raise_for_status()
    end = await end_of(reports, await publish(broker, user_id))
    assert end.status is Status.SENT
    await only_these_stay(world, user_id, token)
    assert len(await pushes_to(simulator, token)) == 1
