"""The body went out and no answer came: what the template's policy makes of it."""

from uuid import uuid4

import pytest

from delivery.conftest import NewMessage, Ways
from delivery.desk import open_desk
from delivery.outside import emails_to, misbehave, resend, smtp, times_fired
from simulator.running import Simulator
from support.reports import Reports
from support.world import WELCOME, World
from tidings.contracts.codes import Reason, Status, WhenAmbiguous
from tidings.contracts.messages import DeliveryMessage
from tidings.delivery.claiming import RECEIPT_SECONDS
from tidings.delivery.ledger import Ledger
from tidings.delivery.outcome import Taken
from tidings.email.settings import EmailSettings
from tidings.kit.broker.port import Acknowledge, DeadLetter, Delay
from tidings.kit.cache import open_redis
from tidings.kit.ids import now


async def message_with(world: World, new_message: NewMessage, policy: WhenAmbiguous) -> DeliveryMessage:
    """A message whose template says so."""
    template_id = f"welcome-{uuid4().hex[:8]}"
    body = {"id": template_id, "content": {"en": WELCOME}, "when_ambiguous": policy}
    await world.templates.add("/templates", body)
    return new_message(template_id=template_id)


@pytest.mark.parametrize("policy", [WhenAmbiguous.RETRY, WhenAmbiguous.WAIT])
async def test_later_with_the_same_ids(
    *,
    ways: Ways,
    world: World,
    simulator: Simulator,
    second: Simulator,
    new_message: NewMessage,
    address: str,
    policy: WhenAmbiguous,
) -> None:
    """No other provider is tried at once; `wait` gives a receipt its time before the next attempt."""
    message = await message_with(world, new_message, policy)
    await misbehave(simulator, {"drop_response": True, "times": 1})
    async with open_desk(ways(smtp("one", simulator), smtp("two", second))) as desk:
        settlement = await desk.deliver(message)
        assert isinstance(settlement, Delay)
        assert settlement.counted
        assert (settlement.seconds >= RECEIPT_SECONDS) is (policy is WhenAmbiguous.WAIT)
        assert await desk.deliver(message, attempt=2) == Acknowledge()
    emails = await emails_to(simulator, address)
    assert len(emails) == 2
    assert len({email["message_id"] for email in emails}) == 1
    assert await emails_to(second, address) == []


async def test_fail_over_at_once(
    *,
    ways: Ways,
    world: World,
    simulator: Simulator,
    second: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
) -> None:
    """`fail_over` would rather be twice than late: the next provider sends in the same attempt."""
    message = await message_with(world, new_message, WhenAmbiguous.FAIL_OVER)
    await misbehave(simulator, {"drop_response": True})
    async with open_desk(ways(smtp("one", simulator), smtp("two", second))) as desk:
        assert await desk.deliver(message) == Acknowledge()
    assert (await reports.settled(message.notification_id)).provider == "two"
    assert len(await emails_to(second, address)) == 1


async def test_give_up(
    *,
    ways: Ways,
    world: World,
    simulator: Simulator,
    second: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
) -> None:
    """`give_up` never sends twice: it fails, and says that the outcome is unknown."""
    message = await message_with(world, new_message, WhenAmbiguous.GIVE_UP)
    await misbehave(simulator, {"drop_response": True})
    async with open_desk(ways(smtp("one", simulator), smtp("two", second))) as desk:
        settlement = await desk.deliver(message)
    event = await reports.settled(message.notification_id)
    assert isinstance(settlement, DeadLetter)
    assert (event.status, event.reason, event.provider) == (Status.FAILED, Reason.OUTCOME_UNKNOWN, "one")
    assert len(await emails_to(simulator, address)) == 1
    assert await emails_to(second, address) == []


async def test_a_receipt_ends_the_wait(
    *, settings: EmailSettings, ways: Ways, world: World, simulator: Simulator, new_message: NewMessage
) -> None:
    """When a receipt has told the ledger meanwhile, the next attempt sends nothing."""
    message = await message_with(world, new_message, WhenAmbiguous.WAIT)
    await misbehave(simulator, {"drop_response": True})
    async with open_desk(ways(smtp("one", simulator))) as desk, open_redis(settings.cache_url) as redis:
        assert isinstance(await desk.deliver(message), Delay)
        taken = Taken(provider="one", detail="a receipt said so", at=now())
        await Ledger(redis).record(message.notification_id, "email", taken)
        assert await desk.deliver(message, attempt=2) == Acknowledge()
    assert await times_fired(simulator) == 1


async def test_an_idempotent_provider_is_asked_once_more(
    *,
    ways: Ways,
    world: World,
    simulator: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
) -> None:
    """A lost answer of a provider that folds repeats costs nothing: it is asked again, for one email."""
    message = await message_with(world, new_message, WhenAmbiguous.GIVE_UP)
    await misbehave(simulator, {"provider": "resend", "drop_response": True, "times": 1})
    async with open_desk(ways(resend("resend", simulator))) as desk:
        assert await desk.deliver(message) == Acknowledge()
    assert (await reports.settled(message.notification_id)).provider == "resend"
    assert len(await emails_to(simulator, address)) == 1


async def test_an_idempotent_provider_in_doubt_is_asked_first_and_alone(
    *,
    ways: Ways,
    world: World,
    simulator: Simulator,
    second: Simulator,
    new_message: NewMessage,
    address: str,
) -> None:
    """While its answer is unknown no other provider is tried, whatever the lane says: no duplicates."""
    message = await message_with(world, new_message, WhenAmbiguous.RETRY)
    providers = resend("resend", simulator), smtp("two", second)
    await misbehave(simulator, {"provider": "resend", "drop_response": True, "times": 2})
    async with open_desk(ways(*providers)) as desk:
        assert isinstance(await desk.deliver(message), Delay)
        await misbehave(simulator, {"provider": "resend", "status": 500})
        assert isinstance(await desk.deliver(message, attempt=2), Delay)
    await misbehave(simulator)
    async with open_desk(ways(*providers, lanes='normal = ["two", "resend"]')) as desk:
        assert await desk.deliver(message, attempt=3) == Acknowledge()
    assert len(await emails_to(simulator, address)) == 1
    assert await emails_to(second, address) == []


@pytest.mark.parametrize("policy", [WhenAmbiguous.WAIT, WhenAmbiguous.GIVE_UP])
async def test_what_a_dead_worker_was_sending(
    *,
    settings: EmailSettings,
    ways: Ways,
    world: World,
    simulator: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
    policy: WhenAmbiguous,
) -> None:
    """An owner died with the body under way: `wait` waits for a receipt, `give_up` does not send again."""
    message = await message_with(world, new_message, policy)
    await die_while_sending(settings, message, "one")
    async with open_desk(ways(smtp("one", simulator))) as desk:
        settlement = await desk.deliver(message, redelivered=True)
    event = await reports.next_of(message.notification_id)
    assert isinstance(settlement, Delay if policy is WhenAmbiguous.WAIT else DeadLetter)
    assert (event.reason, event.provider) == (Reason.OUTCOME_UNKNOWN, "one")
    assert await emails_to(simulator, address) == []


async def test_what_a_dead_worker_was_sending_by_an_idempotent_provider(
    *,
    settings: EmailSettings,
    ways: Ways,
    world: World,
    simulator: Simulator,
    second: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
) -> None:
    """Where the provider folds repeats itself, the message is simply sent again, by that provider."""
    message = await message_with(world, new_message, WhenAmbiguous.GIVE_UP)
    await die_while_sending(settings, message, "resend")
    async with open_desk(ways(smtp("two", second), resend("resend", simulator))) as desk:
        assert await desk.deliver(message, redelivered=True) == Acknowledge()
    event = await reports.settled(message.notification_id)
    assert event.provider == "resend"
    assert "sent again" not in (event.detail or "")
    assert len(await emails_to(simulator, address)) == 1
    assert await emails_to(second, address) == []


async def die_while_sending(settings: EmailSettings, message: DeliveryMessage, provider: str) -> None:
    """Leave the ledger as a worker does that is killed with the body under way."""
    async with open_redis(settings.cache_url) as redis:
        dead = Ledger(redis)
        await dead.renew_lease()
        await dead.claim(message.notification_id, "email", provider)
        await dead.end_lease()
