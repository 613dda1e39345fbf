"""One outcome for several devices, and what is reported of each."""

from uuid import uuid4

import pytest

from support.parcels import new_message
from tidings.contracts.codes import Channel, Reason, Status
from tidings.contracts.messages import StatusEvent
from tidings.delivery.outcome import Ambiguous, Attempt, Cancelled, Failed, Outcome, Retry, Sent, Taken
from tidings.delivery.schedule import RetrySchedule
from tidings.delivery.settling import conclude
from tidings.delivery.verdicts import combine
from tidings.kit.broker.port import Acknowledge, DeadLetter, Delay, Delivery, Message, Settlement
from tidings.kit.ids import now

SCHEDULE = RetrySchedule((10.0,), max_attempts=3)
TAKEN = Taken(provider="fcm", provider_ref="ref", at=now())
SENT = Sent(TAKEN)
DEAD = Failed(Reason.RECIPIENT_REFUSED, "gone", "fcm")
LATER = Retry(Reason.PROVIDER_UNAVAILABLE, "503", "apns")
HELD = Retry(Reason.PROVIDER_THROTTLED, "paused", "apns", after=60, counted=False)
UNKNOWN = Ambiguous("no answer", "webpush")


def concluded(
    *outcomes: Outcome, attempt: int = 1, redelivered: bool = False
) -> tuple[list[StatusEvent], Settlement]:
    """Of a notification whose devices are named by letters."""
    targets = dict(zip("abcdef", outcomes, strict=False))
    delivery = Delivery("push.queue", Message(str(uuid4()), b""), attempt, redelivered)
    result = Attempt(combine(outcomes), targets if len(outcomes) > 1 else {})
    return conclude(new_message(Channel.PUSH), delivery, result, SCHEDULE)


def steps(events: list[StatusEvent]) -> list[tuple[str | None, Status, Reason | None]]:
    return [(event.target, event.status, event.reason) for event in events]


def test_one_device_is_the_notification() -> None:
    """With a single device there is one event, and it names no device."""
    events, settlement = concluded(SENT)
    assert (steps(events), settlement) == ([(None, Status.SENT, None)], Acknowledge())


def test_sent_to_all() -> None:
    """The notification is sent, and so is each device."""
    events, settlement = concluded(SENT, SENT)
    assert steps(events) == [(target, Status.SENT, None) for target in (None, "a", "b")]
    assert settlement == Acknowledge()


@pytest.mark.parametrize("other", [LATER, UNKNOWN, DEAD, HELD])
def test_a_cancel_ends_the_wait_for_other_devices(other: Outcome) -> None:
    """A retry would find it cancelled as well. The report has no attempt, as the gateway's own has none."""
    events, settlement = concluded(Cancelled(), other, attempt=2)
    own = events[0]
    assert (own.target, own.status, own.attempt) == (None, Status.CANCELLED, 0)
    assert settlement == Acknowledge()


def test_a_device_that_has_it_beside_a_cancel() -> None:
    """What one device has got is sent, whatever the others find."""
    events, settlement = concluded(Cancelled(), SENT)
    assert steps(events) == [(None, Status.SENT, None), ("b", Status.SENT, None)]
    assert settlement == Acknowledge()


def test_a_dead_device_beside_a_good_one() -> None:
    """One success makes the notification sent; the dead device's own step says why it failed."""
    events, settlement = concluded(DEAD, SENT)
    assert steps(events) == [
        (None, Status.SENT, None),
        ("a", Status.FAILED, Reason.RECIPIENT_REFUSED),
        ("b", Status.SENT, None),
    ]
    assert settlement == Acknowledge()


def test_devices_that_have_to_wait_are_tried_again() -> None:
    """A notification sent to one device is delayed for the others, and stays sent."""
    events, settlement = concluded(SENT, LATER, UNKNOWN)
    assert steps(events) == [
        (None, Status.SENT, None),
        ("a", Status.SENT, None),
        ("b", Status.RETRYING, Reason.PROVIDER_UNAVAILABLE),
        ("c", Status.RETRYING, Reason.OUTCOME_UNKNOWN),
    ]
    assert isinstance(settlement, Delay)
    assert settlement.counted
    assert all(event.next_attempt_at for event in events[2:])


def test_the_others_are_tried_again_alone() -> None:
    """On the next attempt only the devices that waited are reported: the rest was, before."""
    again = Sent(TAKEN, repeated=True)
    events, settlement = concluded(again, DEAD, attempt=2)
    assert steps(events) == [("b", Status.FAILED, Reason.RECIPIENT_REFUSED)]
    assert settlement == Acknowledge()


def test_a_report_that_may_be_lost_is_made_again() -> None:
    """After a crash, what the ledger knows to be sent is reported whether it was before or not."""
    again = Sent(TAKEN, repeated=True)
    events, _ = concluded(again, DEAD, attempt=2, redelivered=True)
    assert steps(events) == [
        (None, Status.SENT, None),
        ("a", Status.SENT, None),
        ("b", Status.FAILED, Reason.RECIPIENT_REFUSED),
    ]


def test_a_sent_notification_is_no_dead_letter() -> None:
    """When the last attempt for a device fails, only the device has failed."""
    again = Sent(TAKEN, repeated=True)
    events, settlement = concluded(again, LATER, attempt=3)
    assert steps(events) == [("b", Status.FAILED, Reason.ATTEMPTS_EXHAUSTED)]
    assert settlement == Acknowledge()


def test_nobody_was_reached() -> None:
    """Without any success the last attempt is a dead letter, and each device says why."""
    events, settlement = concluded(DEAD, LATER, attempt=3)
    assert steps(events) == [
        (None, Status.DEAD_LETTERED, Reason.ATTEMPTS_EXHAUSTED),
        ("a", Status.FAILED, Reason.RECIPIENT_REFUSED),
        ("b", Status.FAILED, Reason.ATTEMPTS_EXHAUSTED),
    ]
    assert isinstance(settlement, DeadLetter)


@pytest.mark.parametrize(
    ("outcomes", "counted"), [((LATER, HELD), True), ((HELD, HELD), False), ((SENT, HELD), False)]
)
def test_waits_are_one_wait(outcomes: tuple[Outcome, ...], *, counted: bool) -> None:
    """The longest wait counts; an attempt is used up if it is for any device."""
    _, settlement = concluded(*outcomes)
    assert isinstance(settlement, Delay)
    assert settlement.counted is counted
    assert settlement.seconds >= 60


def test_a_device_that_is_held_is_parked() -> None:
    """A device whose provider may not be tried is parked, beside one that is tried again."""
    events, _ = concluded(LATER, HELD)
    assert [event.status for event in events] == [Status.RETRYING, Status.RETRYING, Status.PARKED]


def test_details_are_bounded() -> None:
    """However much providers say, a detail has at most a thousand characters."""
    (event,), settlement = concluded(Failed(Reason.CONTENT_REFUSED, "x" * 5_000))
    assert event.detail == "x" * 1_000
    assert isinstance(settlement, DeadLetter)
    assert len(settlement.detail) == 1_000
