"""A fallback is sent when it is needed, at most once, and settles as not needed otherwise."""

import asyncio
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.channels.conftest import Fallbacks, step
from support.polling import eventually
from tidings.contracts.codes import Channel, Reached, Reason, Status
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.queues import FAILED_QUEUE, PUSH_QUEUE
from tidings.kit.broker.deadletters import DETAIL, QUEUE, REASON
from tidings.kit.broker.port import Message
from tidings.kit.ids import now

Sign = tuple[Status, Reason | None, int]

SENT: Sign = (Status.SENT, None, 1)
DELIVERED: Sign = (Status.DELIVERED, None, 0)
DISPLAYED: Sign = (Status.DELIVERED, Reason.DISPLAYED, 0)
CLICKED: Sign = (Status.DELIVERED, Reason.CLICKED, 0)
FAR_ENOUGH = {
    Reached.SENT: {SENT, DELIVERED, DISPLAYED, CLICKED},
    Reached.DELIVERED: {DELIVERED, DISPLAYED, CLICKED},
    Reached.DISPLAYED: {DISPLAYED, CLICKED},
    Reached.CLICKED: {CLICKED},
}
BAD: list[Sign] = [
    (Status.FAILED, Reason.RECIPIENT_REFUSED, 1),
    (Status.SUPPRESSED, Reason.CHANNEL_SWITCHED_OFF, 1),
    (Status.EXPIRED, Reason.EXPIRED, 1),
    (Status.DEAD_LETTERED, Reason.ATTEMPTS_EXHAUSTED, 1),
    (Status.BOUNCED, Reason.HARD_BOUNCE, 0),
]
LIVES: list[list[Sign]] = [
    [],
    [(Status.RETRYING, Reason.PROVIDER_UNAVAILABLE, 1)],
    [SENT],
    [SENT, DELIVERED],
    [SENT, DISPLAYED],
    [SENT, DELIVERED, DISPLAYED, CLICKED],
    *[[bad] for bad in BAD],
    [SENT, BAD[-1]],
    [SENT, DELIVERED, BAD[-1]],
    [SENT, DISPLAYED, BAD[-1]],
]


@pytest.mark.parametrize("unless", list(Reached))
async def test_what_got_far_enough_needs_none(fallbacks: Fallbacks, unless: Reached) -> None:
    """As soon as the push got as far as `unless`, or farther, its fallback is cancelled as not needed."""
    for status, reason, attempt in FAR_ENOUGH[unless]:
        pair = await fallbacks.send(unless=unless)
        await fallbacks.report([step(pair.push, status, reason, attempt=attempt)])
        found = await fallbacks.decided(pair)
        assert (found["status"], found["reason"]) == ("cancelled", "not_needed")
        assert found["timeline"][-1]["status"] == "cancelled"
        assert found["timeline"][-1]["detail"].startswith("The notification before it was ")
        await fallbacks.make_due(pair)
        assert fallbacks.times_sent(pair) == 0


@pytest.mark.parametrize("bad", BAD)
async def test_after_a_failure_it_is_sent_at_once(fallbacks: Fallbacks, bad: Sign) -> None:
    """A push that settles badly is followed by its fallback long before that was due, exactly once."""
    status, reason, attempt = bad
    pair = await fallbacks.send(after_seconds=86_400)
    events = [step(pair.push, status, reason, attempt=attempt)]
    await fallbacks.report(events, events)
    await eventually(lambda: fallbacks.times_sent(pair) == 1)
    found = await fallbacks.decided(pair)
    assert found["status"] == "queued"
    assert datetime.fromisoformat(found["send_at"]) < now() + timedelta(hours=1)
    await fallbacks.report(events)
    await fallbacks.reported(pair, 1)
    assert fallbacks.times_sent(pair) == 1


async def test_in_time_nobody_was_shown_it(fallbacks: Fallbacks) -> None:
    """A push that was delivered, and not displayed when its time is over, is followed by the fallback."""
    pair = await fallbacks.send(unless="displayed")
    await fallbacks.report([step(pair.push, *SENT[:2]), step(pair.push, *DELIVERED[:2], attempt=0)])
    await fallbacks.reported(pair, 2)
    assert (await fallbacks.read(pair.email))["status"] == "scheduled"
    assert fallbacks.times_sent(pair) == 0
    await fallbacks.make_due(pair)
    await eventually(lambda: fallbacks.times_sent(pair) == 1)


async def test_shown_too_late(fallbacks: Fallbacks) -> None:
    """What is displayed after the fallback was sent changes nothing about that."""
    pair = await fallbacks.send()
    await fallbacks.make_due(pair)
    await fallbacks.decided(pair)
    await fallbacks.report([step(pair.push, *SENT[:2]), step(pair.push, *DISPLAYED[:2], attempt=0)])
    await fallbacks.reported(pair, 2)
    assert (await fallbacks.read(pair.email))["status"] == "queued"
    await eventually(lambda: fallbacks.times_sent(pair) == 1)


async def test_cancelled_together(fallbacks: Fallbacks) -> None:
    """A push that is cancelled takes its fallback with it, for the same reason."""
    pair = await fallbacks.send()
    await fallbacks.report([step(pair.push, Status.CANCELLED)])
    found = await fallbacks.decided(pair)
    assert (found["status"], found["reason"]) == ("cancelled", None)
    assert found["timeline"][-1]["detail"] == "The notification before it was cancelled"


async def test_what_the_broker_gave_up_on(fallbacks: Fallbacks) -> None:
    """A push whose workers kept dying, which none of them reported, is followed by its fallback at once."""
    pair = await fallbacks.send(after_seconds=86_400)
    message = DeliveryMessage(
        notification_id=pair.push,
        request_id="given-up",
        channel=Channel.PUSH,
        user_id="somebody",
        template_id="welcome",
        accepted_at=now(),
    )
    headers = {REASON: str(Reason.DELIVERY_LIMIT), DETAIL: "its consumers died", QUEUE: PUSH_QUEUE}
    letter = Message(str(uuid4()), msgspec.json.encode(message), headers)
    await fallbacks.broker.publish(FAILED_QUEUE, [letter])
    await eventually(lambda: fallbacks.times_sent(pair) == 1)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Sign], list[int], list[int], Reached]:
    """A push's life, what of it arrives before its fallback is due and what after, and the bar.

    In any order, some repeatedly.
    """
    life = draw(st.sampled_from(LIVES))
    steps = range(len(life))
    again = draw(st.lists(st.sampled_from(steps), max_size=3)) if life else []
    order = draw(st.permutations([*steps, *again]))
    cut = draw(st.integers(0, len(order)))
    return life, list(order[:cut]), list(order[cut:]), draw(st.sampled_from(Reached))


@settings(max_examples=40)
@given(arrival=arrivals())
async def test_each_settles_once(
    fallbacks: Fallbacks, arrival: tuple[list[Sign], list[int], list[int], Reached]
) -> None:
    """However reports arrive, what is known in time decides: the email is sent once, or it is cancelled."""
    life, before, after, unless = arrival
    pair = await fallbacks.send(unless=unless)
    events = [step(pair.push, status, reason, attempt=attempt) for status, reason, attempt in life]
    await fallbacks.report(*([events[index]] for index in before))
    await fallbacks.reported(pair, len(set(before)))
    await fallbacks.make_due(pair)
    await asyncio.gather(fallbacks.report(*([events[index]] for index in after)), fallbacks.decided(pair))
    found = await fallbacks.decided(pair)
    cancelled = found["status"] == "cancelled"
    known = {life[index] for index in before}
    if known & FAR_ENOUGH[unless] and not known & set(BAD):
        assert cancelled
    if not {*life} & FAR_ENOUGH[unless]:
        assert not cancelled
    if not cancelled:
        await eventually(lambda: fallbacks.times_sent(pair) > 0)
    await fallbacks.reported(pair, len(life))
    assert fallbacks.times_sent(pair) == (0 if cancelled else 1)
    assert [one["status"] for one in found["timeline"]].count("cancelled") == int(cancelled)
