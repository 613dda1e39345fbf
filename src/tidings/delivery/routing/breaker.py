"""A circuit breaker per provider: what fails is left alone, then probed, then loaded again step by step."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from time import monotonic

import structlog

from tidings.contracts.codes import ErrorOwner, Reason
from tidings.delivery.outcome import Answer, Refused, Taken

FAILURES_IN_A_ROW = 5
RECENT_CALLS = 20
RECENT_SECONDS = 30.0
FEWEST_CALLS = 10
FULL_WIDTH = 64
RAMP_SECONDS = 30.0
LONGEST_PAUSE = 3600.0
"""A provider that asks for more, such as one whose daily quota is used up, is probed once an hour."""

_RESTS = {
    Reason.PROVIDER_UNAVAILABLE: (5.0, 60.0),
    Reason.CREDENTIAL_REFUSED: (60.0, 600.0),
    Reason.PROVIDER_THROTTLED: (5.0, 60.0),
}
"""Seconds of the first rest, which doubles each time, and of the longest."""

log = structlog.get_logger(__name__)


class State(StrEnum):
    """How a breaker stands."""

    CLOSED = "closed"
    """Every call is let through."""
    OPEN = "open"
    """No call is: it failed, or refused our credentials."""
    HALF_OPEN = "half_open"
    """After a rest: one call at a time, and one more with each that succeeds."""
    PAUSED = "paused"
    """No call is: the provider asked for a pause."""


@dataclass(slots=True)
class _Rest:
    reason: Reason
    words: str
    until: float


class Turn:
    """Leave to make one call. Whoever got it ends it, once."""

    def __init__(self, breaker: "Breaker", generation: int) -> None:
        self._breaker = breaker
        self._generation = generation

    @property
    def lapsed(self) -> bool:
        """Whether the breaker has opened since: the call had better not be made."""
        return self._breaker.generation != self._generation

    def end(self, answer: Answer | None) -> None:
        """Say how the call went; None when it was not made, or cancelled, and says nothing."""
        self._breaker.ended(self, answer)


class Breaker:
    """Says whether a provider may be tried.

    It opens after 5 failures in a row, or when half of the last 20 calls failed (of at least 10 in the
    last 30 s); at once, and for longer, when credentials are refused. Outages and ambiguities are
    failures; recipient and content errors, and whatever concerns one mailbox or device alone, are not.
    A throttle pauses, for as long as the provider asks.
    """

    def __init__(
        self, name: str, changed: Callable[[], None], clock: Callable[[], float] = monotonic
    ) -> None:
        self._name = name
        self._changed = changed
        self._clock = clock
        self._rest: _Rest | None = None
        self._rests: dict[Reason, float] = {}
        self._in_a_row = 0
        self._recent: deque[tuple[float, bool]] = deque(maxlen=RECENT_CALLS)
        self._width = 1
        self._under_way = 0
        self.generation = 0
        """Grows with each rest: what was begun before says nothing about what comes after."""

    @property
    def state(self) -> State:
        """How it stands now."""
        if self._rest is None:
            return State.CLOSED
        if self.wait() == 0:
            return State.HALF_OPEN
        return State.PAUSED if self._rest.reason is Reason.PROVIDER_THROTTLED else State.OPEN

    @property
    def reason(self) -> Reason | None:
        """Why it is not closed."""
        return self._rest.reason if self._rest else None

    @property
    def words(self) -> str:
        """Why it is not closed, for people."""
        return self._rest.words if self._rest else ""

    def wait(self) -> float:
        """Seconds until a call may be let through; 0 when closed or half-open."""
        return max(0.0, self._rest.until - self._clock()) if self._rest else 0.0

    def places(self) -> float:
        """How many calls may be under way at once; infinite when closed."""
        if self._rest is None:
            return inf
        return self._width if self.wait() == 0 else 0

    def enter(self) -> Turn | None:
        """Leave to make a call now, or None."""
        if self._rest is not None:
            if self._under_way >= self.places():
                return None
            self._under_way += 1
        return Turn(self, self.generation)

    def ended(self, turn: Turn, answer: Answer | None) -> None:
        """For `Turn.end`."""
        if turn.lapsed:
            if isinstance(answer, Refused) and answer.retry_after and _pauses(answer) and self._rest:
                self._rest.until = max(self._rest.until, self._clock() + _pause(answer.retry_after))
            return
        if self._rest is not None:
            self._under_way = max(0, self._under_way - 1)
        if answer is not None:
            self._take_note(answer)
        if self._rest is not None:
            self._changed()

    def _take_note(self, answer: Answer) -> None:
        if isinstance(answer, Taken) or answer.owner in {ErrorOwner.RECIPIENT, ErrorOwner.CONTENT}:
            self._succeeded()
        elif not answer.provider_wide:
            return
        elif answer.owner is ErrorOwner.THROTTLE:
            words = f"it asked for a pause: {answer.detail}"
            self._begin_rest(Reason.PROVIDER_THROTTLED, words, answer.retry_after)
        elif answer.owner is ErrorOwner.CREDENTIAL:
            words = f"its credentials do not work: {answer.detail}"
            self._begin_rest(Reason.CREDENTIAL_REFUSED, words, answer.retry_after)
        else:
            self._failed(answer)

    def _succeeded(self) -> None:
        self._in_a_row = 0
        self._recent.append((self._clock(), True))
        self._rests.pop(Reason.PROVIDER_THROTTLED, None)
        if self._rest is None:
            return
        self._width += 1
        if self._width >= FULL_WIDTH or self._clock() - self._rest.until >= RAMP_SECONDS:
            self._rest = None
            self._rests.clear()
            log.info("provider_closed", provider=self._name)
            self._changed()

    def _failed(self, refused: Refused) -> None:
        self._in_a_row += 1
        self._recent.append((self._clock(), False))
        failed, of = self._recent_failures()
        if refused.retry_after is not None:
            words = f"it asked to be left alone: {refused.detail}"
        elif self._rest is not None:
            words = f"a probe failed: {refused.detail}"
        elif self._in_a_row >= FAILURES_IN_A_ROW:
            words = f"{self._in_a_row} failures in a row, the last one: {refused.detail}"
        elif of >= FEWEST_CALLS and failed * 2 >= of:
            words = f"{failed} of the last {of} calls failed, the last one: {refused.detail}"
        else:
            return
        self._begin_rest(Reason.PROVIDER_UNAVAILABLE, words, refused.retry_after)

    def _recent_failures(self) -> tuple[int, int]:
        since = self._clock() - RECENT_SECONDS
        recent = [success for at, success in self._recent if at >= since]
        return recent.count(False), len(recent)

    def _begin_rest(self, reason: Reason, words: str, asked: float | None) -> None:
        first, longest = _RESTS[reason]
        rest = min(self._rests.get(reason, first / 2) * 2, longest)
        self._rests[reason] = rest
        seconds = rest if asked is None else _pause(asked)
        self._rest = _Rest(reason, words, self._clock() + seconds)
        self.generation += 1
        self._width, self._under_way = 1, 0
        self._recent.clear()
        # Refused credentials are for an operator to mend: the one state that does not pass by itself.
        level = log.error if reason is Reason.CREDENTIAL_REFUSED else log.warning
        level(
            "provider_left_alone",
            alert=reason is Reason.CREDENTIAL_REFUSED,
            provider=self._name,
            reason=reason,
            detail=words,
            seconds=round(seconds, 1),
        )
        self._changed()


def _pauses(refused: Refused) -> bool:
    return refused.owner is ErrorOwner.THROTTLE and refused.provider_wide


def _pause(asked: float) -> float:
    return min(asked, LONGEST_PAUSE)
