"""The push service as a process of its own for each test: what it makes of a provider in trouble."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from push.conftest import MAX_ATTEMPTS
from push.outside import end_of, misbehave, publish, pushes_to, tokens_of
from simulator.running import Simulator
from support.ports import free_port
from support.reports import Reports
from support.serving import ServiceProcess, service_process
from support.world import World
from tidings.contracts.codes import Reason, Status
from tidings.kit.broker.port import Broker
from tidings.push.settings import PushSettings

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(autouse=True)
async def worker(settings: PushSettings, simulator: Simulator) -> AsyncIterator[ServiceProcess]:
    """A push service whose breakers no other test has opened."""
    del simulator  # well-behaved before the service starts
    async with service_process("push", msgspec.structs.replace(settings, port=free_port())) as worker:
        yield worker


@pytest.mark.parametrize(("status", "then"), [(403, Status.RETRYING), (401, Status.PARKED)])
async def test_our_own_fault_removes_no_device(
    *,
    broker: Broker,
    reports: Reports,
    world: World,
    simulator: Simulator,
    user_id: str,
    token: str,
    status: int,
    then: Status,
) -> None:
    """What does not fit for one device is tried again, our own key parks the message; every device stays."""
    await misbehave(simulator, {"status": status, "match": token})
    message = await publish(broker, user_id)
    waiting = await reports.next_of(message.notification_id)
    assert (waiting.status, waiting.reason, waiting.attempt) == (then, Reason.CREDENTIAL_REFUSED, 1)
    assert await tokens_of(world, user_id) == [token]


async def test_a_wait_that_google_asks_for_is_kept(
    broker: Broker, reports: Reports, simulator: Simulator, user_id: str, token: str
) -> None:
    """503 with Retry-After: the next attempt is planned no sooner, and succeeds."""
    await misbehave(simulator, {"status": 503, "retry_after": 1, "times": 1, "match": token})
    message = await publish(broker, user_id)
    end = await end_of(reports, message)
    waiting, *_ = reports.of(message.notification_id)
    assert (waiting.status, waiting.reason) == (Status.RETRYING, Reason.PROVIDER_UNAVAILABLE)
    assert waiting.next_attempt_at is not None
    assert waiting.next_attempt_at >= waiting.at + timedelta(seconds=1)
    assert (end.status, end.attempt) == (Status.SENT, 2)
    assert end.at >= waiting.next_attempt_at
    assert len(await pushes_to(simulator, token)) == 1


async def test_retries_end_in_a_dead_letter(
    broker: Broker, reports: Reports, simulator: Simulator, user_id: str, token: str
) -> None:
    """An FCM that goes on failing is asked as often as configured."""
    await misbehave(simulator, {"status": 500, "match": token})
    message = await publish(broker, user_id)
    await end_of(reports, message)
    assert reports.steps(message.notification_id) == [
        *((Status.RETRYING, attempt) for attempt in range(1, MAX_ATTEMPTS)),
        (Status.DEAD_LETTERED, MAX_ATTEMPTS),
    ]


async def test_an_answer_that_was_lost_is_retried(
    broker: Broker, reports: Reports, simulator: Simulator, user_id: str, token: str
) -> None:
    """A lost answer is reported as unknown; the repeat has the same tag, so the device shows one."""
    await misbehave(simulator, {"drop_response": True, "times": 1, "match": token})
    message = await publish(broker, user_id)
    end = await end_of(reports, message)
    unknown, *_ = reports.of(message.notification_id)
    tags = {push["message"]["android"]["notification"]["tag"] for push in await pushes_to(simulator, token)}
    assert (unknown.status, unknown.reason) == (Status.RETRYING, Reason.OUTCOME_UNKNOWN)
    assert (end.status, end.attempt) == (Status.SENT, 2)
    assert tags == {str(message.notification_id)}


async def test_one_device_fails_for_now_and_another_has_it(
    *, broker: Broker, reports: Reports, world: World, simulator: Simulator, user_id: str, token: str
) -> None:
    """A message that reached one device is sent; what the other's failure was does not repeat it there."""
    other = f"other-{uuid4()}"
    await world.add_device(user_id, other)
    await misbehave(simulator, {"status": 503, "match": other})
    end = await end_of(reports, await publish(broker, user_id))
    assert end.status is Status.SENT
    assert len(await pushes_to(simulator, token)) == 1
