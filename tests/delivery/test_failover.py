"""Two ways out: who gets the message when one of them fails."""

from collections import Counter
from typing import Any

import pytest

from delivery.conftest import MAX_ATTEMPTS, NewMessage, Ways
from delivery.desk import open_desk
from delivery.outside import emails_to, misbehave, smtp, times_fired
from simulator.running import Simulator
from support.ports import free_port
from support.reports import Reports
from tidings.contracts.codes import ErrorOwner, Priority, Reason, Status
from tidings.delivery.outcome import Refused
from tidings.delivery.routing.chain import drawn, summary
from tidings.kit.broker.port import Acknowledge, DeadLetter, Delay


@pytest.mark.parametrize(
    "fault",
    [
        {"smtp_code": 421, "text": "4.3.2 Shutting down", "stage": "mail"},
        {"smtp_code": 451},
        {"smtp_code": 451, "stage": "data"},
        {"smtp_code": 452, "text": "4.3.1 No space left", "stage": "mail"},
        {"smtp_code": 535, "text": "5.7.8 Wrong password", "stage": "mail"},
        {"drop_connection": True},
        {"drop_connection": True, "stage": "mail"},
    ],
    ids=str,
)
async def test_outages_throttles_and_credentials_fail_over(
    *,
    ways: Ways,
    simulator: Simulator,
    second: Simulator,
    reports: Reports,
    new_message: NewMessage,
    address: str,
    fault: dict[str, Any],
) -> None:
    """What the next provider can do, it does, in the same attempt; the words of the first are kept."""
    message = new_message()
    await misbehave(simulator, fault)
    async with open_desk(ways(smtp("one", simulator), smtp("two", second))) as desk:
        assert await desk.deliver(message) == Acknowledge()
        assert await desk.deliver(message, redelivered=True) == Acknowledge()
    event = await reports.settled(message.notification_id)
    assert (event.status, event.attempt, event.provider) == (Status.SENT, 1, "two")
    assert "[after one: " in (event.detail or "")
    assert await emails_to(simulator, address) == []
    assert len(await emails_to(second, address)) == 1


async def test_a_server_that_is_gone_fails_over(
    ways: Ways, second: Simulator, new_message: NewMessage, address: str
) -> None:
    """Nobody listens at the first provider's port: the second one sends."""
    async with open_desk(ways(smtp("one", free_port()), smtp("two", second))) as desk:
        assert await desk.deliver(new_message()) == Acknowledge()
    assert len(await emails_to(second, address)) == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"smtp_code": 550, "text": "5.1.1 Nobody of this name"}, Reason.RECIPIENT_REFUSED),
        ({"smtp_code": 552, "text": "5.3.4 Too big", "stage": "data"}, Reason.CONTENT_REFUSED),
        ({"smtp_code": 554, "stage": "data", "text": "5.6.0 Not like this"}, Reason.CONTENT_REFUSED),
    ],
    ids=str,
)
async def test_recipient_and_content_errors_never_fail_over(
    *,
    ways: Ways,
    simulator: Simulator,
    second: Simulator,
    new_message: NewMessage,
    address: str,
    fault: dict[str, Any],
    reason: Reason,
) -> None:
    """What is wrong with the address or the email is so everywhere: no second provider hears of it."""
    await misbehave(simulator, fault)
    async with open_desk(ways(smtp("one", simulator), smtp("two", second))) as desk:
        settlement = await desk.deliver(new_message())
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == reason
    assert await emails_to(second, address) == []


async def test_one_busy_mailbox_is_no_fault_of_the_provider(
    *, ways: Ways, simulator: Simulator, second: Simulator, new_message: NewMessage, address: str
) -> None:
    """450 about one mailbox is tried again later by the same provider, which goes on for everyone else."""
    await misbehave(simulator, {"smtp_code": 450, "text": "4.2.1 Mailbox busy", "times": 1})
    async with open_desk(ways(smtp("one", simulator), smtp("two", second))) as desk:
        settlement = await desk.deliver(new_message())
        assert await desk.deliver(new_message()) == Acknowledge()
    assert isinstance(settlement, Delay)
    assert settlement.counted
    assert len(await emails_to(simulator, address)) == 1
    assert await emails_to(second, address) == []


async def test_a_pause_that_was_asked_for_is_kept(
    *, ways: Ways, simulator: Simulator, second: Simulator, new_message: NewMessage, address: str
) -> None:
    """A provider that asked for a minute is not asked again meanwhile; the next one takes over."""
    busy = {"smtp_code": 452, "text": "4.3.1 Try again in 60 seconds", "stage": "mail"}
    await misbehave(simulator, busy)
    async with open_desk(ways(smtp("one", simulator), smtp("two", second))) as desk:
        for _ in range(5):
            assert await desk.deliver(new_message()) == Acknowledge()
    assert await times_fired(simulator) == 1
    assert len(await emails_to(second, address)) == 5


async def test_when_all_fail_the_words_of_all_are_told(
    *, ways: Ways, simulator: Simulator, second: Simulator, reports: Reports, new_message: NewMessage
) -> None:
    """Both providers failed: one attempt is used up, and its step quotes both."""
    message = new_message()
    await misbehave(simulator, {"smtp_code": 451, "text": "4.3.0 Disk trouble"})
    await misbehave(second, {"smtp_code": 535, "text": "5.7.8 Wrong password", "stage": "mail"})
    async with open_desk(ways(smtp("one", simulator), smtp("two", second))) as desk:
        settlement = await desk.deliver(message)
    event = await reports.next_of(message.notification_id)
    assert isinstance(settlement, Delay)
    assert settlement.counted
    assert (event.status, event.reason) == (Status.RETRYING, Reason.PROVIDER_UNAVAILABLE)
    assert event.detail is not None
    assert "one: 451 4.3.0 Disk trouble" in event.detail
    assert "two: 535 5.7.8 Wrong password" in event.detail


async def test_a_message_has_its_time(
    *, ways: Ways, simulator: Simulator, second: Simulator, new_message: NewMessage, address: str
) -> None:
    """After `message_seconds` no further provider is tried: the message waits for its next attempt."""
    await misbehave(simulator, {"smtp_code": 451, "latency_s": 0.3})
    settings = ways(smtp("one", simulator), smtp("two", second), lanes="message_seconds = 0.1")
    async with open_desk(settings) as desk:
        settlement = await desk.deliver(new_message())
    assert isinstance(settlement, Delay)
    assert await emails_to(second, address) == []


async def test_lanes_have_orders_of_their_own(
    *, ways: Ways, simulator: Simulator, second: Simulator, reports: Reports, new_message: NewMessage
) -> None:
    """Critical and bulk messages take the ways that their lanes name; a lane not named is as normal."""
    settings = ways(
        smtp("one", simulator), smtp("two", second), lanes='normal = ["two"]\ncritical = ["one", "two"]'
    )
    messages = [new_message(priority=priority) for priority in Priority]
    async with open_desk(settings) as desk:
        for message in messages:
            assert await desk.deliver(message) == Acknowledge()
    providers = [(await reports.settled(message.notification_id)).provider for message in messages]
    assert dict(zip(Priority, providers, strict=True)) == {
        Priority.CRITICAL: "one",
        Priority.NORMAL: "two",
        Priority.BULK: "two",
    }


def test_weights_share_out_the_load() -> None:
    """Within a step the first place goes by weight, and whoever is not first is still in the order."""
    orders = [drawn(((("ses", 3.0), ("sendgrid", 1.0)), (("relay", 1.0),))) for _ in range(4_000)]
    firsts = Counter(order[0] for order in orders)
    assert all(order[2] == "relay" and set(order) == {"ses", "sendgrid", "relay"} for order in orders)
    assert 2_700 < firsts["ses"] < 3_300


@pytest.mark.parametrize(
    ("owners", "decides"),
    [
        ((ErrorOwner.CREDENTIAL, ErrorOwner.OUTAGE), ErrorOwner.OUTAGE),
        ((ErrorOwner.THROTTLE, ErrorOwner.CREDENTIAL), ErrorOwner.THROTTLE),
        ((ErrorOwner.AMBIGUOUS, ErrorOwner.OUTAGE), ErrorOwner.AMBIGUOUS),
        ((ErrorOwner.AMBIGUOUS, ErrorOwner.RECIPIENT), ErrorOwner.RECIPIENT),
    ],
)
def test_of_several_refusals_one_decides(owners: tuple[ErrorOwner, ...], decides: ErrorOwner) -> None:
    """A doubt outlives an outage, a verdict on the recipient ends all; the shortest wait is kept."""
    refusals = [Refused(f"p{n}", owner, "no", retry_after=9.0 - n) for n, owner in enumerate(owners)]
    one = summary(refusals)
    assert one.owner is decides
    assert one.detail == "p0: no; p1: no"


async def test_the_last_attempt_on_all_ways_is_a_dead_letter(
    *, ways: Ways, simulator: Simulator, second: Simulator, new_message: NewMessage
) -> None:
    """When both fail on the last attempt, the dead letter quotes both."""
    for outside in (simulator, second):
        await misbehave(outside, {"smtp_code": 451, "text": "4.3.0 Disk trouble"})
    async with open_desk(ways(smtp("one", simulator), smtp("two", second))) as desk:
        settlement = await desk.deliver(new_message(), attempt=MAX_ATTEMPTS)
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == Reason.ATTEMPTS_EXHAUSTED
    assert "one: 451" in settlement.detail
    assert "two: 451" in settlement.detail
