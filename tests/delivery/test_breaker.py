"""The breaker of a provider, on a clock that the tests turn."""

import pytest

from tidings.contracts.codes import ErrorOwner, Reason
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.delivery.routing.breaker import FULL_WIDTH, Breaker, State, Turn
from tidings.kit.ids import now

TAKEN = Taken(provider="smtp", at=now())


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("email/smtp", lambda: None, clock)


def refused(owner: ErrorOwner, retry_after: float | None = None, *, provider_wide: bool = True) -> Refused:
    return Refused("smtp", owner, "no", retry_after=retry_after, provider_wide=provider_wide)


def enter(breaker: Breaker) -> Turn:
    turn = breaker.enter()
    assert turn is not None
    return turn


def state_of(breaker: Breaker) -> State:
    return breaker.state


def call(breaker: Breaker, answer: Answer | None, times: int = 1) -> None:
    for _ in range(times):
        enter(breaker).end(answer)


@pytest.mark.parametrize("owner", [ErrorOwner.OUTAGE, ErrorOwner.AMBIGUOUS])
def test_five_failures_in_a_row_open(breaker: Breaker, owner: ErrorOwner) -> None:
    """The fifth failure in a row opens, and the reason says what the last one was."""
    call(breaker, refused(owner), 4)
    assert state_of(breaker) is State.CLOSED
    call(breaker, refused(owner))
    assert (breaker.state, breaker.reason) == (State.OPEN, Reason.PROVIDER_UNAVAILABLE)
    assert breaker.words == "5 failures in a row, the last one: no"
    assert breaker.enter() is None
    assert breaker.places() == 0


def test_half_of_the_recent_calls_open(breaker: Breaker) -> None:
    """Failures among successes open as soon as they are half of at least ten calls."""
    for _ in range(4):
        call(breaker, TAKEN)
        call(breaker, refused(ErrorOwner.OUTAGE))
    call(breaker, TAKEN)
    assert state_of(breaker) is State.CLOSED
    call(breaker, refused(ErrorOwner.OUTAGE))
    assert state_of(breaker) is State.OPEN


def test_old_failures_are_forgotten(breaker: Breaker, clock: Clock) -> None:
    """A failure now and then, over a long time, does not open."""
    for _ in range(20):
        call(breaker, TAKEN)
        call(breaker, refused(ErrorOwner.OUTAGE))
        clock.seconds += 10
    assert state_of(breaker) is State.CLOSED


@pytest.mark.parametrize(
    "answer",
    [
        refused(ErrorOwner.RECIPIENT),
        refused(ErrorOwner.CONTENT),
        refused(ErrorOwner.THROTTLE, 60, provider_wide=False),
        refused(ErrorOwner.CREDENTIAL, provider_wide=False),
        None,
    ],
    ids=repr,
)
def test_what_is_no_failure_of_the_provider(breaker: Breaker, answer: Answer | None) -> None:
    """Recipients, content, one mailbox's throttle, one device's key and a cancelled call never open."""
    call(breaker, answer, 30)
    assert state_of(breaker) is State.CLOSED


def test_rests_double(breaker: Breaker, clock: Clock) -> None:
    """A rest takes 5 s, and after each probe that fails twice as long, up to a minute."""
    call(breaker, refused(ErrorOwner.OUTAGE), 5)
    rests = []
    for _ in range(6):
        rests.append(breaker.wait())
        clock.seconds += breaker.wait()
        call(breaker, refused(ErrorOwner.OUTAGE))
    assert rests == [5, 10, 20, 40, 60, 60]


def test_probes_come_one_at_a_time_and_then_more(breaker: Breaker, clock: Clock) -> None:
    """After a rest one call is let in; each success lets in one more at once, until all are."""
    call(breaker, refused(ErrorOwner.OUTAGE), 5)
    clock.seconds += 5
    assert state_of(breaker) is State.HALF_OPEN
    probe = enter(breaker)
    assert breaker.enter() is None
    probe.end(TAKEN)
    pair = [enter(breaker), enter(breaker)]
    assert breaker.enter() is None
    for turn in pair:
        turn.end(TAKEN)
    assert breaker.places() == 4
    call(breaker, TAKEN, FULL_WIDTH)
    assert state_of(breaker) is State.CLOSED
    assert all(breaker.enter() for _ in range(1000))


def test_a_quiet_ramp_ends_by_time(breaker: Breaker, clock: Clock) -> None:
    """With few messages to send, half a minute without a failure closes it too."""
    call(breaker, refused(ErrorOwner.OUTAGE), 5)
    clock.seconds += 5
    call(breaker, TAKEN)
    clock.seconds += 30
    assert state_of(breaker) is State.HALF_OPEN
    call(breaker, TAKEN)
    assert state_of(breaker) is State.CLOSED


def test_a_probe_that_is_cancelled_gives_its_place_back(breaker: Breaker, clock: Clock) -> None:
    """A call that says nothing frees its turn and changes nothing else."""
    call(breaker, refused(ErrorOwner.OUTAGE), 5)
    clock.seconds += 5
    call(breaker, None, 10)
    assert state_of(breaker) is State.HALF_OPEN
    assert breaker.places() == 1


def test_calls_from_before_say_nothing_about_probes(breaker: Breaker, clock: Clock) -> None:
    """What was begun before it opened neither opens it again nor widens the ramp."""
    before = [enter(breaker) for _ in range(3)]
    call(breaker, refused(ErrorOwner.OUTAGE), 5)
    clock.seconds += 5
    assert all(turn.lapsed for turn in before)
    before[0].end(refused(ErrorOwner.OUTAGE))
    before[1].end(TAKEN)
    before[2].end(None)
    assert state_of(breaker) is State.HALF_OPEN
    assert breaker.places() == 1


def test_refused_credentials_open_at_once_and_longer(breaker: Breaker, clock: Clock) -> None:
    """One refused credential opens for a minute, and doubles up to ten."""
    rests = []
    for _ in range(6):
        call(breaker, refused(ErrorOwner.CREDENTIAL))
        assert (breaker.state, breaker.reason) == (State.OPEN, Reason.CREDENTIAL_REFUSED)
        rests.append(breaker.wait())
        clock.seconds += breaker.wait()
    assert rests == [60, 120, 240, 480, 600, 600]


def test_a_throttle_pauses(breaker: Breaker, clock: Clock) -> None:
    """A provider that asks for two seconds gets them, and is then loaded step by step."""
    call(breaker, refused(ErrorOwner.THROTTLE, 2))
    assert (breaker.state, breaker.reason) == (State.PAUSED, Reason.PROVIDER_THROTTLED)
    assert breaker.wait() == 2
    clock.seconds += 2
    assert state_of(breaker) is State.HALF_OPEN


def test_throttles_without_a_time_double(breaker: Breaker, clock: Clock) -> None:
    """Without a time it is 5 s, then 10 s; a success starts over."""
    pauses = []
    for answer in (refused(ErrorOwner.THROTTLE), refused(ErrorOwner.THROTTLE), TAKEN):
        call(breaker, answer)
        pauses.append(breaker.wait())
        clock.seconds += breaker.wait()
    call(breaker, refused(ErrorOwner.THROTTLE))
    assert [*pauses, breaker.wait()] == [5, 10, 0, 5]


def test_the_longest_pause_asked_for_counts(breaker: Breaker) -> None:
    """Of several calls that were under way, the one that asks for the most is heard; an hour is the most."""
    calls = [enter(breaker) for _ in range(4)]
    for turn, seconds in zip(calls, (2, 30, 10, 90_000), strict=True):
        turn.end(refused(ErrorOwner.THROTTLE, seconds))
    assert breaker.wait() == 3600


def test_an_outage_with_a_time_is_left_alone_until_then(breaker: Breaker) -> None:
    """A 503 with Retry-After opens at once, for as long as it says."""
    call(breaker, refused(ErrorOwner.OUTAGE, 7))
    assert (breaker.state, breaker.wait()) == (State.OPEN, 7)
