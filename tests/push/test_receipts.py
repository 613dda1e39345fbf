"""The push service as a process: what Expo's receipts say, minutes after its tickets."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from push.expo import add_expo, asking_at_once, receipts
from push.outside import end_of, misbehave_as, publish, tokens_of
from push.ways import Outside
from simulator.running import Simulator
from support.polling import eventually
from support.reports import Reports
from support.servers import PATIENCE
from support.serving import service_process
from support.world import World
from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import PushTicket, TakenPush, TicketReport
from tidings.contracts.queues import TICKETS_QUEUE
from tidings.kit.broker.port import Broker, Message
from tidings.kit.ids import now
from tidings.push.settings import PushSettings


@pytest.fixture(scope="module")
def asking(
    settings: PushSettings, outside: Outside, tmp_path_factory: pytest.TempPathFactory
) -> PushSettings:
    """A push service with FCM and Expo, which asks for receipts as soon as there are tickets."""
    return asking_at_once(settings, outside, tmp_path_factory.mktemp("providers"))


@pytest.fixture(scope="module")
async def worker(asking: PushSettings) -> AsyncIterator[httpx.AsyncClient]:
    """The push service that most of the tests share."""
    async with (
        service_process("push", asking),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{asking.port}", timeout=PATIENCE) as http,
    ):
        yield http


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("inside", "status", "reason", "devices"),
    [
        ("x", Status.SENT, None, 1),
        ("later-dead", Status.BOUNCED, Reason.RECIPIENT_REFUSED, 0),
        ("later-rate", Status.BOUNCED, Reason.PROVIDER_THROTTLED, 1),
        ("later-mismatch", Status.BOUNCED, Reason.CREDENTIAL_REFUSED, 1),
    ],
)
async def test_what_a_receipt_says(
    *,
    broker: Broker,
    reports: Reports,
    world: World,
    inside: str,
    status: Status,
    reason: Reason | None,
    devices: int,
) -> None:
    """A yes leaves it sent, a no makes it bounced with the reason; a device that is dead is deregistered."""
    user_id = await world.add_user()
    await add_expo(world, user_id, inside)
    message = await publish(broker, user_id)
    end = await end_of(reports, message)
    (told,) = await receipts(reports, message)
    assert (end.status, told.status, told.reason) == (Status.SENT, status, reason)
    assert (told.provider, told.provider_ref, told.target) == ("expo", end.provider_ref, None)
    assert told.detail
    assert len(await tokens_of(world, user_id)) == devices


@pytest.mark.usefixtures("worker")
async def test_a_receipt_that_is_late(broker: Broker, reports: Reports, world: World) -> None:
    """What Expo does not know yet is asked for again, and only that."""
    user_id = await world.add_user()
    late, early = await add_expo(world, user_id, "later-second"), await add_expo(world, user_id, "x")
    message = await publish(broker, user_id)
    first, second = await receipts(reports, message, 2)
    assert (first.target, second.target) == (early, late)
    assert (first.status, second.status) == (Status.SENT, Status.SENT)


@pytest.mark.usefixtures("worker")
async def test_one_device_of_two_bounces(
    broker: Broker, reports: Reports, world: World, user_id: str
) -> None:
    """The step names the device, and none is the notification's: another provider's device has it."""
    dead = await add_expo(world, user_id, "later-dead")
    message = await publish(broker, user_id)
    assert (await end_of(reports, message)).status is Status.SENT
    (told,) = await receipts(reports, message)
    assert (told.status, told.target) == (Status.BOUNCED, dead)


@pytest.mark.usefixtures("worker")
async def test_every_device_bounces(broker: Broker, reports: Reports, world: World) -> None:
    """When no device is left that has it, the notification bounces, though the receipts came one by one."""
    user_id = await world.add_user()
    devices = {await add_expo(world, user_id, inside) for inside in ("later-rate", "later-second-dead")}
    told = await receipts(reports, await publish(broker, user_id), 3)
    assert {event.target for event in told} == {*devices, None}
    assert {event.status for event in told} == {Status.BOUNCED}


@pytest.mark.usefixtures("worker")
async def test_a_device_that_registered_again_stays(
    broker: Broker, reports: Reports, world: World, simulator: Simulator
) -> None:
    """A receipt speaks of the push: a device that its app has registered again since then is kept."""
    user_id, token = await world.add_user(), f"ExponentPushToken[later-dead-{uuid4()}]"
    register = {"provider": "expo", "token": token}
    await world.users.add(f"/users/{user_id}/tokens", register)
    await misbehave_as(simulator, "expo_receipts", status=503, retry_after=1)
    message = await publish(broker, user_id)
    await end_of(reports, message)
    await world.users.add(f"/users/{user_id}/tokens", register)
    (await simulator.http.delete("/api/faults")).raise_for_status()
    (told,) = await receipts(reports, message)
    assert told.status is Status.BOUNCED
    assert await tokens_of(world, user_id) == [token]


async def test_what_never_comes_is_given_up(worker: httpx.AsyncClient, broker: Broker) -> None:
    """A ticket that Expo does not know after half a day is not asked for again; it is counted."""
    ticket = PushTicket(id="unknown", provider="expo", device_id=uuid4(), at=now() - timedelta(hours=13))
    push = TakenPush(notification_id=uuid4(), user_id=UUID(int=1), tickets=[ticket], devices=1)
    body = msgspec.json.encode(TicketReport(ask_at=now(), pushes=[push]))
    await broker.publish(TICKETS_QUEUE, [Message(str(uuid4()), body)])

    async def given_up() -> bool:
        metrics = (await worker.get("/metrics")).text
        return 'tidings_push_receipts_total{outcome="missing",provider="expo"} 1.0' in metrics

    await eventually(given_up)


@pytest.mark.usefixtures("worker")
async def test_what_is_no_report_becomes_a_dead_letter(broker: Broker, reports: Reports) -> None:
    """A message that cannot be read is kept on the failed queue, with the reason."""
    message_id = str(uuid4())
    await broker.publish(TICKETS_QUEUE, [Message(message_id, b'{"schema": 1}')])
    await eventually(lambda: bool(reports.dead_letters[message_id]))
    (letter,) = reports.dead_letters[message_id]
    assert letter.headers["x-reason"] == Reason.MALFORMED_MESSAGE
