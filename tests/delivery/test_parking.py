"""While no provider may be tried: messages wait, and lose nothing by it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from prometheus_client import REGISTRY

from delivery.conftest import MAX_ATTEMPTS, NewMessage, Ways
from delivery.desk import Desk, open_desk, resting
from delivery.outside import emails_to, misbehave, smtp, times_fired
from simulator.running import Simulator, running, settings_in
from support.polling import eventually
from support.ports import free_port
from support.reports import Reports
from support.servers import ValkeyNode
from tidings.contracts.codes import Priority, Reason, Status
from tidings.contracts.messages import DeliveryMessage
from tidings.delivery.routing.gate import Entry
from tidings.email.settings import EmailSettings
from tidings.kit.broker.port import Acknowledge, Delay, HandBack, Settlement
from tidings.kit.ids import now

FAILURES = 5


def waiting() -> float:
    return REGISTRY.get_sample_value("tidings_gate_waiting", {"channel": "email"}) or 0.0


@asynccontextmanager
async def at_the_gate(
    desk: Desk, *messages: DeliveryMessage
) -> AsyncIterator[list[asyncio.Task[Settlement]]]:
    """Deliveries that have begun to wait; whatever still waits in the end is cancelled."""
    before = waiting()
    tasks = [asyncio.create_task(desk.deliver(message, attempt=MAX_ATTEMPTS)) for message in messages]
    try:
        await eventually(lambda: waiting() == before + len(messages))
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def fail(desk: Desk, new_message: NewMessage, *, rest: float = 60.0) -> None:
    """Let the provider fail until its breaker opens, for so many seconds from then on."""
    with resting(desk, "relay", seconds=rest):
        for _ in range(FAILURES):
            assert isinstance(await desk.deliver(new_message()), Delay)


@pytest.fixture
def down(ways: Ways) -> EmailSettings:
    """Settings whose one provider is not there."""
    return ways(smtp("relay", free_port()))


async def test_an_outage_costs_no_attempt(
    *, ways: Ways, tmp_path: Path, reports: Reports, new_message: NewMessage, address: str
) -> None:
    """With the breaker open, messages wait on their last attempt; the provider is back, and all are sent."""
    messages = [new_message() for _ in range(20)]
    async with (
        running(settings_in(tmp_path)) as relay,
        open_desk(ways(smtp("relay", relay.smtp_port))) as desk,
    ):
        await misbehave(relay, {"stage": "connect", "drop_connection": True})
        await fail(desk, new_message, rest=10)
        # Back before the first probe, which would use up the attempt of the message that it is.
        async with at_the_gate(desk, *messages) as tasks:
            await misbehave(relay)
            assert await asyncio.gather(*tasks) == [Acknowledge()] * len(messages)
            assert len(await emails_to(relay, address)) == len(messages)
        for message in messages:
            await reports.settled(message.notification_id)
    assert all(reports.steps(one.notification_id) == [(Status.SENT, MAX_ATTEMPTS)] for one in messages)


async def test_a_message_that_expires_while_it_waits(
    down: EmailSettings, reports: Reports, new_message: NewMessage
) -> None:
    """Its time passes at the gate: it is settled as expired, though no provider is back."""
    async with open_desk(down) as desk:
        await fail(desk, new_message)
        message = new_message(expires_at=now() + timedelta(seconds=0.5))
        assert await desk.deliver(message) == Acknowledge()
    assert (await reports.settled(message.notification_id)).status is Status.EXPIRED


async def test_a_stop_hands_back_what_waits(
    down: EmailSettings, reports: Reports, new_message: NewMessage
) -> None:
    """A worker that stops gives the messages at the gate back at once, untouched."""
    messages = [new_message() for _ in range(5)]
    async with open_desk(down) as desk:
        await fail(desk, new_message)
        async with at_the_gate(desk, *messages) as tasks:
            await desk.works.gate.stop()
            assert await asyncio.gather(*tasks) == [HandBack()] * len(messages)
    assert not any(reports.of(message.notification_id) for message in messages)


async def test_nobody_waits_at_the_gate_for_ever(down: EmailSettings, new_message: NewMessage) -> None:
    """Who has waited as long as they may is told that it was in vain."""
    async with open_desk(down) as desk:
        await fail(desk, new_message)
        async with desk.works.gate.entered(0.01) as entry:
            assert entry is Entry.HELD


async def test_a_message_in_work_is_parked(
    *, ways: Ways, simulator: Simulator, reports: Reports, new_message: NewMessage
) -> None:
    """Where only the way of its lane is closed, a message is parked without using up an attempt."""
    settings = ways(
        smtp("down", free_port()), smtp("up", simulator), lanes='normal = ["up"]\nbulk = ["down"]'
    )
    async with open_desk(settings) as desk:
        with resting(desk, "down"):
            for _ in range(FAILURES):
                assert isinstance(await desk.deliver(new_message(priority=Priority.BULK)), Delay)
        held = new_message(priority=Priority.BULK)
        settlement = await desk.deliver(held, attempt=MAX_ATTEMPTS)
        assert await desk.deliver(new_message()) == Acknowledge()
    event = await reports.next_of(held.notification_id)
    assert isinstance(settlement, Delay)
    assert not settlement.counted
    assert (event.status, event.reason) == (Status.PARKED, Reason.PROVIDER_UNAVAILABLE)
    assert event.detail is not None
    assert "down until " in event.detail
    assert "5 failures in a row" in event.detail


async def test_the_sandbox_is_always_open(
    down: EmailSettings, reports: Reports, new_message: NewMessage
) -> None:
    """A test key's message needs no provider, so it does not wait for one."""
    async with open_desk(down) as desk:
        await fail(desk, new_message)
        message = new_message(sandbox=True)
        assert await desk.deliver(message) == Acknowledge()
    assert (await reports.settled(message.notification_id)).provider == "sandbox"


async def test_a_provider_that_is_probed_gets_one_message(
    *, ways: Ways, simulator: Simulator, new_message: NewMessage, address: str
) -> None:
    """Of many that wait only one is sent as a probe; when that fails too, the rest wait on."""
    messages = [new_message() for _ in range(10)]
    async with open_desk(ways(smtp("relay", simulator))) as desk:
        await misbehave(simulator, {"smtp_code": 451, "times": FAILURES + 1})
        await fail(desk, new_message, rest=5)
        async with at_the_gate(desk, *messages) as tasks:
            await eventually(lambda: any(task.done() for task in tasks))
            assert sum(task.done() for task in tasks) == 1
            assert await emails_to(simulator, address) == []
            assert await times_fired(simulator) == FAILURES + 1


async def test_a_pause_ends_by_itself(
    *, ways: Ways, simulator: Simulator, reports: Reports, new_message: NewMessage, address: str
) -> None:
    """A single provider asks for a second: the message it told so is tried again, the others wait and go."""
    first, *others = [new_message() for _ in range(6)]
    busy = {"smtp_code": 452, "text": "4.3.1 Try again in 1 second", "stage": "mail", "times": 1}
    await misbehave(simulator, busy)
    async with open_desk(ways(smtp("relay", simulator))) as desk:
        told = await desk.deliver(first)
        assert await asyncio.gather(*map(desk.deliver, others)) == [Acknowledge()] * 5
    event = await reports.next_of(first.notification_id)
    assert isinstance(told, Delay)
    assert told.seconds >= 1
    assert (event.status, event.reason) == (Status.RETRYING, Reason.PROVIDER_THROTTLED)
    assert len(await emails_to(simulator, address)) == 5


async def test_a_spent_budget_parks(
    *, ways: Ways, simulator: Simulator, reports: Reports, new_message: NewMessage, address: str
) -> None:
    """A day's budget is shared by all workers; what is beyond it waits, and nothing fails."""
    settings = ways(smtp(f"relay-{free_port()}", simulator, per_day=3))
    beyond = new_message()
    async with open_desk(settings) as one, open_desk(settings) as other:
        for desk in (one, other, one):
            assert await desk.deliver(new_message()) == Acknowledge()
        settlement = await other.deliver(beyond, attempt=MAX_ATTEMPTS)
    event = await reports.next_of(beyond.notification_id)
    assert isinstance(settlement, Delay)
    assert not settlement.counted
    assert (event.status, event.reason) == (Status.PARKED, Reason.BUDGET_SPENT)
    assert event.detail is not None
    assert "its budget of 3 a day is spent" in event.detail
    assert len(await emails_to(simulator, address)) == 3


async def test_a_spent_budget_fails_over(
    *, ways: Ways, simulator: Simulator, second: Simulator, new_message: NewMessage, address: str
) -> None:
    """What one provider may not take today, the next one takes."""
    name = f"relay-{free_port()}"
    async with open_desk(ways(smtp(name, simulator, per_day=1), smtp("two", second))) as desk:
        for _ in range(3):
            assert await desk.deliver(new_message()) == Acknowledge()
    assert len(await emails_to(simulator, address)) == 1
    assert len(await emails_to(second, address)) == 2


async def test_without_redis_budgets_hold_nothing_up(
    *, ways: Ways, own_valkey: ValkeyNode, simulator: Simulator, new_message: NewMessage, address: str
) -> None:
    """While Redis is away, first deliveries go on past a budget that nobody can count."""
    settings = msgspec.structs.replace(ways(smtp("relay", simulator, per_day=1)), cache_url=own_valkey.url)
    async with open_desk(settings) as desk:
        own_valkey.stop()
        for _ in range(3):
            assert await desk.deliver(new_message()) == Acknowledge()
    assert len(await emails_to(simulator, address)) == 3


async def test_a_budget_a_second_delays_and_never_fails(
    *, ways: Ways, simulator: Simulator, new_message: NewMessage, address: str
) -> None:
    """More at once than the pace allows: each waits for its place, and all are sent."""
    settings = ways(smtp(f"relay-{free_port()}", simulator, per_second=20))
    async with open_desk(settings) as one, open_desk(settings) as other:
        deliveries = [desk.deliver(new_message()) for desk in (one, other) for _ in range(10)]
        assert await asyncio.gather(*deliveries) == [Acknowledge()] * 20
    assert len(await emails_to(simulator, address)) == 20
