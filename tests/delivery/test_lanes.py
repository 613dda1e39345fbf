"""Lanes: priorities that do not wait for one another, in the queue, in the worker and at the provider."""

import signal

from delivery.conftest import MAX_ATTEMPTS, NewMessage, Ways
from delivery.outside import emails_to, misbehave, publish, smtp, times_fired
from simulator.running import Simulator
from support.polling import eventually
from support.reports import Reports
from support.serving import service_process
from support.world import World, fresh_address
from tidings.contracts.codes import Channel, Priority, Status
from tidings.contracts.queues import work_queue
from tidings.email.settings import EmailSettings
from tidings.kit.broker.port import Broker

BULK_QUEUE = work_queue(Channel.EMAIL, Priority.BULK)
SMTP_CONNECTIONS = 20


async def test_a_flood_of_bulk_holds_up_nothing_else(
    *,
    ways: Ways,
    broker: Broker,
    world: World,
    simulator: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
) -> None:
    """While bulk emails hang in every place they may take, normal and critical ones are sent."""
    settings = ways(smtp("patient", simulator, seconds=300))  # what hangs goes on hanging
    slow = fresh_address()
    slow_user = await world.add_user(email=slow)
    bulk = [new_message(user_id=slow_user, priority=Priority.BULK) for _ in range(60)]
    others = [
        *(new_message(priority=Priority.NORMAL) for _ in range(10)),
        *(new_message(priority=Priority.CRITICAL) for _ in range(10)),
    ]
    await misbehave(simulator, {"hang": True, "match": slow})
    async with service_process("email", settings) as worker:
        await publish(broker, *bulk)
        await eventually(lambda: _all_hang(broker, simulator, len(bulk) - settings.bulk_concurrency))
        await publish(broker, *others)
        ends = {(await reports.settled(one.notification_id)).status for one in others}
        assert ends == {Status.SENT}
        assert len(await emails_to(simulator, address)) == len(others)
        assert not any(reports.of(one.notification_id) for one in bulk)
        await misbehave(simulator)
        await worker.end(signal.SIGKILL)

    async with service_process("email", settings):
        assert {(await reports.settled(one.notification_id)).status for one in bulk} == {Status.SENT}
    assert len(await emails_to(simulator, slow)) == len(bulk)


async def test_a_retry_comes_back_to_its_lane(
    *,
    settings: EmailSettings,
    broker: Broker,
    simulator: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
) -> None:
    """A critical message is still on the critical queue at its last attempt, as its dead letter says."""
    message = new_message(priority=Priority.CRITICAL)
    identity = str(message.notification_id)
    await misbehave(simulator, {"smtp_code": 451, "match": address})
    async with service_process("email", settings):
        await publish(broker, message)
        await reports.settled(message.notification_id)
        await eventually(lambda: identity in reports.dead_letters)
    (letter,) = reports.dead_letters[identity]
    assert letter.headers["x-queue"] == work_queue(Channel.EMAIL, Priority.CRITICAL)
    assert reports.steps(message.notification_id)[-1] == (Status.DEAD_LETTERED, MAX_ATTEMPTS)


async def _all_hang(broker: Broker, simulator: Simulator, waiting: int) -> bool:
    """Whether bulk emails have all the connections that they may, and the rest waits in the queue."""
    return await times_fired(simulator) == SMTP_CONNECTIONS // 2 and await broker.depth(BULK_QUEUE) == waiting
