"""A notification's state in one sentence, and what it waits for."""

from dataclasses import dataclass
from datetime import datetime

from tidings.contracts.codes import Status
from tidings.contracts.notifications import Notification, TimelineEvent
from tidings.contracts.queues import work_queue
from tidings.gateway.explaining.store import Background
from tidings.kit.moments import written

_TAKEN = {Status.SENT: "took it", Status.DELIVERED: "says that it was delivered"}
_NOT_TAKEN = {
    Status.BOUNCED: "It was sent, and came back",
    Status.CANCELLED: "It was cancelled",
    Status.DEAD_LETTERED: "It was given up, and is kept as a dead letter",
}


@dataclass(frozen=True, slots=True)
class Awaited:
    """What has to happen next, and until when nothing does, where that is known."""

    what: str
    until: datetime | None = None


def awaited(found: Notification, background: Background) -> Awaited | None:
    """What a notification waits for; None once it is settled."""
    if found.settled:
        return None
    if found.status is Status.ACCEPTED:
        return Awaited("the broker to confirm that it has it", background.dispatch_at)
    if found.status is Status.QUEUED:
        return Awaited(f"a worker to take it from {work_queue(found.channel, found.priority)}")
    if found.status is Status.SCHEDULED:
        what = "its time"
        if background.fallback_of is not None:
            what = f"whether {background.fallback_of} is {background.fallback_unless}"
        return Awaited(what, found.send_at)
    last = _decisive(found)
    why = _with_reason(last.detail, last) if last else "its next attempt"
    return Awaited(why, last.next_attempt_at if last else None)


def summary(found: Notification, waits: Awaited | None) -> str:
    """The state, for people."""
    if waits is not None:
        until = f", until {written(waits.until)}" if waits.until else ""
        return f"It waits{until}: {waits.what}."
    last = _decisive(found)
    if last is not None and found.status in _TAKEN:
        on = f", on attempt {last.attempt}" if last.attempt else ""
        return f"{last.provider or 'The provider'} {_TAKEN[found.status]} at {written(last.at)}{on}."
    if found.status is Status.EXPIRED and found.expires_at is not None:
        return f"It was not sent: its time was over at {written(found.expires_at)}."
    why = _with_reason(last.detail, last) if last else ""
    return f"{_NOT_TAKEN.get(found.status, 'It was not sent')}{': ' if why else ''}{why}."


def _decisive(found: Notification) -> TimelineEvent | None:
    """The step that brought it into its state: of several, the last for the state's own reason."""
    steps = [one for one in found.timeline if one.status is found.status and not (one.target and one.attempt)]
    return max(steps, key=lambda one: (one.reason == found.reason, one.attempt, one.at), default=None)


def _with_reason(detail: str | None, last: TimelineEvent) -> str:
    words = (detail or "").rstrip(".")
    if last.reason is None:
        return words
    return f"{words} ({last.reason})" if words else str(last.reason)
