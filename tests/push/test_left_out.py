"""The push service as a process: devices of a kind that no provider is set up for."""

from collections.abc import AsyncIterator
from uuid import uuid4

import msgspec
import pytest

from push.outside import end_of, publish, pushes_to
from push.ways import Outside
from simulator.running import Simulator
from support.ports import free_port
from support.reports import Reports
from support.serving import ServiceProcess, service_process
from support.world import World
from tidings.contracts.codes import Reason, Status, Step, Verdict
from tidings.contracts.messages import Decision
from tidings.kit.broker.port import Broker
from tidings.push.settings import PushSettings

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(scope="module")
async def worker(settings: PushSettings) -> AsyncIterator[ServiceProcess]:
    """A push service that has FCM alone."""
    async with service_process("push", msgspec.structs.replace(settings, port=free_port())) as worker:
        yield worker


async def add_iphone(world: World, user_id: str) -> str:
    device = {"provider": "apns", "token": f"a1{uuid4().hex}{uuid4().hex}"}
    return await world.users.add(f"/users/{user_id}/tokens", device)


async def test_a_device_beside_one_that_is_reached(
    *, broker: Broker, reports: Reports, world: World, simulator: Simulator, user_id: str, token: str
) -> None:
    """The push is sent; the other device has a step with the reason, its provider and what to set."""
    iphone = await add_iphone(world, user_id)
    message = await publish(broker, user_id)
    end = await end_of(reports, message)
    assert end.status is Status.SENT
    assert len(await pushes_to(simulator, token)) == 1
    await reports.next_of(message.notification_id, after=2)
    (step,) = [event for event in reports.of(message.notification_id) if event.target == iphone]
    assert (step.status, step.reason, step.provider) == (Status.FAILED, Reason.NO_PUSH_PROVIDER, "apns")
    assert "No provider of the kind `apns` is set up" in (step.detail or "")
    assert "TIDINGS_PUSH_PROVIDERS_FILE" in (step.detail or "")
    assert Decision(Step.ADDRESS, Verdict.SKIPPED, step.detail) in end.trace


async def test_no_device_that_is_reached(
    broker: Broker, reports: Reports, world: World, outside: Outside
) -> None:
    """The notification fails, and names each provider that is missing and what would bring it."""
    user_id = await world.add_user()
    for _ in range(2):
        await add_iphone(world, user_id)
    browser = (await outside.subscribe()).subscription
    await world.users.add(f"/users/{user_id}/tokens", {"provider": "webpush", "subscription": browser})
    end = await end_of(reports, await publish(broker, user_id))
    assert (end.status, end.reason, end.provider) == (Status.FAILED, Reason.NO_PUSH_PROVIDER, None)
    detail = end.detail or ""
    assert detail.count("`apns`") == detail.count("`webpush`") == 1
    assert "set TIDINGS_PUSH_VAPID_PRIVATE_KEY" in detail
    skipped = [one.detail for one in end.trace if one.verdict == Verdict.SKIPPED and one.step == Step.ADDRESS]
    assert sorted(words or "" for words in skipped) == sorted(detail.split("; "))


async def test_all_of_one_kind(broker: Broker, reports: Reports, world: World) -> None:
    """Where one kind of provider is all that is missing, the step names it as the provider."""
    user_id = await world.add_user()
    await add_iphone(world, user_id)
    end = await end_of(reports, await publish(broker, user_id))
    assert (end.status, end.reason, end.provider) == (Status.FAILED, Reason.NO_PUSH_PROVIDER, "apns")
