"""What workers tell of how they came to an outcome."""

from datetime import timedelta

from msgspec.structs import replace

from delivery.conftest import NewMessage, Ways
from delivery.desk import Desk, open_desk, resting
from delivery.outside import misbehave, smtp
from simulator.running import Simulator
from support.ports import free_port
from support.reports import Reports
from support.servers import ValkeyNode
from tidings.contracts.codes import Status, Step, Verdict
from tidings.contracts.messages import Decision, StatusEvent
from tidings.kit.broker.port import Delay
from tidings.kit.ids import now

FAILURES = 5


def decided(event: StatusEvent, *steps: Step) -> list[tuple[str, str, str | None]]:
    """What the event's trace says of these steps."""
    return [(one.step, one.verdict, one.detail) for one in event.trace if one.step in steps]


async def test_steps_stand_in_their_order(desk: Desk, reports: Reports, new_message: NewMessage) -> None:
    """The trace of an email that was sent names every step once, in the order in which they were decided."""
    message = new_message()
    await desk.deliver(message)
    event = await reports.settled(message.notification_id)
    assert [one.step for one in event.trace] == [
        Step.CONTACT,
        Step.TEMPLATE,
        Step.SUPPRESSION,
        Step.CHANNEL_PREFERENCE,
        Step.CATEGORY_PREFERENCE,
        Step.QUIET_HOURS,
        Step.RENDER,
        Step.ADDRESS,
        Step.FREQUENCY_CAP,
        Step.CLAIM,
        Step.PROVIDER,
    ]
    assert Decision(Step.TEMPLATE, Verdict.PASSED, "welcome, version 1") in event.trace


async def test_it_holds_no_personal_data(
    desk: Desk, reports: Reports, new_message: NewMessage, simulator: Simulator, address: str
) -> None:
    """Neither the address nor a variable's value is in it, also where the provider quotes the address."""
    message = new_message(variables={"name": "Grace Hopper"})
    await misbehave(simulator, {"smtp_code": 550, "text": f"5.1.1 <{address}> unknown"})
    await desk.deliver(message)
    event = await reports.settled(message.notification_id)
    assert address in (event.detail or "")
    said = str(event.trace)
    assert "smtp: recipient" in said
    assert address not in said
    assert "Grace" not in said


async def test_a_failover_names_both_providers(
    *, ways: Ways, simulator: Simulator, second: Simulator, reports: Reports, new_message: NewMessage
) -> None:
    """Who was tried first and what owned its error, then who took it."""
    message = new_message()
    await misbehave(simulator, {"smtp_code": 451})
    async with open_desk(ways(smtp("one", simulator), smtp("two", second))) as desk:
        await desk.deliver(message)
    event = await reports.settled(message.notification_id)
    assert decided(event, Step.PROVIDER) == [
        (Step.PROVIDER, Verdict.TRIED, "one: outage"),
        (Step.PROVIDER, Verdict.TRIED, "two: taken"),
    ]


async def test_each_attempt_has_its_own(
    desk: Desk, simulator: Simulator, reports: Reports, new_message: NewMessage
) -> None:
    """A retry's trace stands with the retry, and begins with what the ledger knew."""
    message = new_message()
    await misbehave(simulator, {"smtp_code": 451, "times": 1})
    assert isinstance(await desk.deliver(message), Delay)
    await desk.deliver(message, attempt=2)
    reported = [await reports.next_of(message.notification_id, after=number) for number in (0, 1)]
    first, second = sorted(reported, key=lambda one: one.attempt)
    assert (first.status, second.status) == (Status.RETRYING, Status.SENT)
    assert decided(first, Step.LEDGER, Step.PROVIDER) == [(Step.PROVIDER, Verdict.TRIED, "smtp: outage")]
    assert decided(second, Step.LEDGER, Step.PROVIDER) == [
        (Step.LEDGER, Verdict.PASSED, "nothing was sent before"),
        (Step.PROVIDER, Verdict.TRIED, "smtp: taken"),
    ]


async def test_a_redelivery_says_that_it_was_sent(
    desk: Desk, reports: Reports, new_message: NewMessage
) -> None:
    """A copy of what was sent is stopped at the ledger; no provider is named."""
    message = new_message()
    await desk.deliver(message)
    await desk.deliver(message, redelivered=True)
    event = await reports.next_of(message.notification_id, after=1)
    assert decided(event, Step.LEDGER, Step.CLAIM, Step.PROVIDER) == [
        (Step.LEDGER, Verdict.STOPPED, "smtp took it before")
    ]


async def test_who_waits_at_the_gate_says_for_whom(
    ways: Ways, reports: Reports, new_message: NewMessage
) -> None:
    """With every provider at rest nothing else is decided: each is named as skipped, and until when."""
    message = new_message()
    async with open_desk(ways(smtp("one", free_port()))) as desk:
        with resting(desk, "one"):
            for _ in range(FAILURES):
                await desk.deliver(new_message())
        await desk.deliver(replace(message, expires_at=now() + timedelta(seconds=0.2)))
    event = await reports.settled(message.notification_id)
    (skipped,) = event.trace
    assert event.status is Status.EXPIRED
    assert (skipped.step, skipped.verdict) == (Step.PROVIDER, Verdict.SKIPPED)
    assert (skipped.detail or "").startswith("one: provider_unavailable until 20")


async def test_a_ledger_that_is_gone_is_waited_for(
    desk_on_own_valkey: Desk, own_valkey: ValkeyNode, reports: Reports, new_message: NewMessage
) -> None:
    """Without Redis a redelivered message waits, and says for what."""
    message = new_message()
    own_valkey.stop()
    await desk_on_own_valkey.deliver(message, redelivered=True)
    event = await reports.next_of(message.notification_id)
    assert [(one.step, one.verdict) for one in event.trace] == [(Step.LEDGER, Verdict.WAITS)]
