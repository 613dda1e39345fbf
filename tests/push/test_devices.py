"""The push service as a process: people with devices, dead devices, and retries."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from push.conftest import MAX_ATTEMPTS
from push.outside import misbehave, publish, pushes_to
from simulator.running import Simulator
from support.reports import Reports
from support.serving import ServiceProcess, service_process
from support.world import World
from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import DeliveryMessage, StatusEvent
from tidings.contracts.queues import PUSH_QUEUE
from tidings.kit.broker.port import Broker, Message
from tidings.push.settings import PushSettings

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(scope="module")
async def worker(settings: PushSettings) -> AsyncIterator[ServiceProcess]:
    """The push service that the tests share."""
    async with service_process("push", settings) as worker:
        yield worker


async def end_of(reports: Reports, message: DeliveryMessage) -> StatusEvent:
    return await reports.settled(message.notification_id)


async def tokens_of(world: World, user_id: str) -> list[str]:
    tokens = (await world.users.http.get(f"/users/{user_id}")).json()["tokens"]
    return [token["token"] for token in tokens]


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
    assert [len(await pushes_to(simulator, one)) for one in tokens] == [1, 1, 1]


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
    assert await tokens_of(world, user_id) == [token]
    assert len(await pushes_to(simulator, token)) == 1


@pytest.mark.parametrize("status", [403, 401])
async def test_our_own_fault_removes_no_device(
    *,
    broker: Broker,
    reports: Reports,
    world: World,
    simulator: Simulator,
    user_id: str,
    token: str,
    status: int,
) -> None:
    """A credential that does not fit parks the message and leaves every device where it is."""
    await misbehave(simulator, {"status": status, "match": token})
    message = await publish(broker, user_id)
    parked = await reports.next_of(message.notification_id)
    assert (parked.status, parked.reason, parked.attempt) == (Status.PARKED, Reason.CREDENTIAL_REFUSED, 1)
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
