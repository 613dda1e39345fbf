"""Two push services on one queue: the same message in both hands at once is one push."""

from collections.abc import AsyncIterator
from uuid import uuid4

import msgspec
import pytest

from push.outside import pushes_to
from simulator.running import Simulator
from support.parcels import new_message
from support.polling import eventually
from support.ports import free_port
from support.reports import Reports
from support.serving import service_process
from support.world import World
from tidings.contracts.codes import Channel, Status
from tidings.contracts.queues import PUSH_QUEUE
from tidings.kit.broker.port import Broker, Message
from tidings.push.settings import PushSettings

pytestmark = pytest.mark.usefixtures("workers")

MESSAGES = 50
COPIES = 4


@pytest.fixture(autouse=True)
async def workers(settings: PushSettings, simulator: Simulator) -> AsyncIterator[None]:
    """Two push services."""
    del simulator  # well-behaved before they start
    ports = [msgspec.structs.replace(settings, port=free_port()) for _ in range(2)]
    async with service_process("push", ports[0]), service_process("push", ports[1]):
        yield


async def test_the_same_message_twice_at_once(
    broker: Broker, reports: Reports, world: World, simulator: Simulator
) -> None:
    """Of four copies in the queue each device gets one; every end that is reported is the same."""
    tokens = [f"device-{uuid4()}" for _ in range(MESSAGES)]
    people = [await world.add_user() for _ in tokens]
    for user_id, token in zip(people, tokens, strict=True):
        await world.add_device(user_id, token)
    variables = {"name": "Ada", "link": "https://example.com/7"}
    messages = [new_message(Channel.PUSH, user_id=user_id, variables=variables) for user_id in people]
    copies = [Message(str(one.notification_id), msgspec.json.encode(one)) for one in messages] * COPIES
    await broker.publish(PUSH_QUEUE, copies)

    def all_ended() -> bool:
        steps = [reports.steps(message.notification_id) for message in messages]
        return all([status for status, _ in one].count(Status.SENT) >= COPIES for one in steps)

    await eventually(all_ended, within=120)
    for message in messages:
        ends = [event for event in reports.of(message.notification_id) if event.status.settled]
        assert len({(end.status, end.provider_ref, end.at) for end in ends}) == 1
    assert [len(await pushes_to(simulator, token)) for token in tokens] == [1] * MESSAGES
