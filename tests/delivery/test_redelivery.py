"""The same message more than once: at once, after a crash, and without Redis."""

import asyncio

import pytest
from msgspec.structs import replace

from delivery.conftest import NewMessage, Ways
from delivery.desk import Desk, open_desk
from delivery.outside import emails_to, fault_fired, misbehave, resend
from simulator.running import Simulator
from support.answering import answering, http
from support.polling import eventually
from support.reports import Reports
from support.servers import ValkeyNode
from tidings.contracts.codes import Reason, Status
from tidings.delivery.ledger import open_ledger
from tidings.email.settings import EmailSettings
from tidings.kit.broker.port import Acknowledge, Delay
from tidings.kit.cache import open_redis


@pytest.mark.parametrize("redelivered", [True, False])
async def test_what_was_sent_is_not_sent_again(
    *,
    settings: EmailSettings,
    desk: Desk,
    simulator: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
    redelivered: bool,
) -> None:
    """A copy for another process is acknowledged; the first send is reported again, but for its trace."""
    message = new_message()
    await desk.deliver(message)
    async with open_desk(settings) as other:
        assert await other.deliver(message, redelivered=redelivered) == Acknowledge()
    first = await reports.next_of(message.notification_id)
    second = await reports.next_of(message.notification_id, after=1)
    assert replace(second, trace=[]) == replace(first, trace=[])
    assert len(await emails_to(simulator, address)) == 1


async def test_copies_at_once_are_one_email(
    settings: EmailSettings, desk: Desk, simulator: Simulator, new_message: NewMessage, address: str
) -> None:
    """Of copies handled at the same moment, in two processes, one is sent; the others wait or are done."""
    message = new_message()
    await misbehave(simulator, {"latency_s": 0.2})
    async with open_desk(settings) as other:
        settlements = await asyncio.gather(*(which.deliver(message) for which in (desk, other) * 5))
        assert Acknowledge() in settlements
        assert not [one for one in settlements if isinstance(one, Delay) and one.counted]
        assert await other.deliver(message, redelivered=True) == Acknowledge()
    assert len(await emails_to(simulator, address)) == 1


async def test_what_a_dead_worker_was_sending_is_sent_and_says_so(
    *,
    settings: EmailSettings,
    desk: Desk,
    simulator: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
) -> None:
    """An owner died with the body under way: the message goes out, and its timeline names the doubt."""
    message = new_message()
    async with open_redis(settings.cache_url) as redis, open_ledger(redis) as dead:
        await dead.claim(message.notification_id, "email", "smtp")
        waiting = await desk.deliver(message, redelivered=True)
    again = await desk.deliver(message, redelivered=True)

    parked = await reports.next_of(message.notification_id)
    sent = await reports.settled(message.notification_id)
    assert isinstance(waiting, Delay)
    assert not waiting.counted
    assert (parked.status, parked.reason) == (Status.PARKED, Reason.OUTCOME_UNKNOWN)
    assert again == Acknowledge()
    assert sent.detail is not None
    assert "sent again" in sent.detail
    assert len(await emails_to(simulator, address)) == 1


async def test_a_change_of_address_is_still_the_same_send(
    desk: Desk, simulator: Simulator, new_message: NewMessage, address: str
) -> None:
    """A message sent once is not sent again on a later attempt either."""
    message = new_message()
    await desk.deliver(message)
    assert await desk.deliver(message, attempt=2) == Acknowledge()
    assert len(await emails_to(simulator, address)) == 1


async def test_without_redis_first_deliveries_go_on(
    *,
    desk_on_own_valkey: Desk,
    own_valkey: ValkeyNode,
    simulator: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
) -> None:
    """While Redis is away a fresh message is sent; one handed out before waits, without using an attempt."""
    fresh, before = new_message(), new_message()
    own_valkey.stop()
    assert await desk_on_own_valkey.deliver(fresh) == Acknowledge()
    waiting = await desk_on_own_valkey.deliver(before, redelivered=True)
    parked = await reports.next_of(before.notification_id)
    assert isinstance(waiting, Delay)
    assert not waiting.counted
    assert (parked.status, parked.reason) == (Status.PARKED, Reason.SERVICE_UNAVAILABLE)
    assert len(await emails_to(simulator, address)) == 1

    own_valkey.start()
    assert await desk_on_own_valkey.deliver(before, redelivered=True) == Acknowledge()
    assert await desk_on_own_valkey.deliver(fresh, redelivered=True) == Acknowledge()
    assert len(await emails_to(simulator, address)) == 2


async def test_redis_goes_away_during_a_send(
    ways: Ways, own_valkey: ValkeyNode, new_message: NewMessage
) -> None:
    """What was sent while Redis went away is known when the message comes again."""
    message = new_message()
    async with answering(http(200, '{"id": "1"}')) as provider:
        provider.speak.clear()
        settings = replace(ways(resend("resend", provider.url)), cache_url=own_valkey.url)
        async with open_desk(settings) as desk:
            sending = asyncio.create_task(desk.deliver(message))
            await eventually(lambda: bool(provider.requests))
            own_valkey.stop()
            provider.speak.set()
            assert await sending == Acknowledge()
            own_valkey.start()
            assert await desk.deliver(message, redelivered=True) == Acknowledge()
    assert len(provider.requests) == 1


async def test_a_send_that_was_cut_off_is_taken_up_again(
    *,
    desk: Desk,
    simulator: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
) -> None:
    """A send cancelled with the body under way is no longer busy: the next delivery sends, and says so."""
    message = new_message()
    await misbehave(simulator, {"latency_s": 30, "match": address, "times": 1})
    sending = asyncio.create_task(desk.deliver(message))
    await eventually(lambda: fault_fired(simulator))
    sending.cancel()
    await asyncio.wait([sending])
    assert await desk.deliver(message, redelivered=True) == Acknowledge()
    sent = await reports.settled(message.notification_id)
    assert sent.detail is not None
    assert "sent again" in sent.detail
