"""Tickets outlive the push service that got them."""

import signal
from pathlib import Path

from push.expo import add_expo, asking_at_once, receipts
from push.outside import end_of, misbehave_as, publish
from push.ways import Outside
from simulator.running import Simulator
from support.reports import Reports
from support.serving import service_process
from support.world import World
from tidings.contracts.codes import Status
from tidings.kit.broker.port import Broker
from tidings.push.settings import PushSettings


async def test_a_restart_loses_no_ticket(
    *,
    settings: PushSettings,
    outside: Outside,
    tmp_path: Path,
    broker: Broker,
    reports: Reports,
    world: World,
    simulator: Simulator,
) -> None:
    """Tickets wait in the broker while Expo does not answer and while nobody asks; none is forgotten."""
    asking = asking_at_once(settings, outside, tmp_path)
    user_id = await world.add_user()
    await add_expo(world, user_id, "later-dead")
    await misbehave_as(simulator, "expo_receipts", status=503, retry_after=1)
    async with service_process("push", asking) as worker:
        message = await publish(broker, user_id)
        await end_of(reports, message)
        await worker.end(signal.SIGKILL)
    assert [event for event in reports.of(message.notification_id) if event.attempt == 0] == []
    (await simulator.http.delete("/api/faults")).raise_for_status()
    async with service_process("push", asking):
        (told,) = await receipts(reports, message)
    assert told.status is Status.BOUNCED
