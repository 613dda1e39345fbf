"""What becomes of a fallback, by what is known of the notification that it stands behind."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from tidings.contracts.codes import Reached, Reason, Status
from tidings.contracts.messages import StatusEvent

_ORDER = list(Reached)
_BY_STATE = {Status.SENT: Reached.SENT, Status.DELIVERED: Reached.DELIVERED}
_BY_REMARK = {Reason.DISPLAYED: Reached.DISPLAYED, Reason.CLICKED: Reached.CLICKED}


@dataclass(frozen=True, slots=True)
class First:
    """A notification that has a fallback: its state, and the surest sign that somebody knows of it."""

    fallback_id: UUID
    status: Status
    reason: Reason | None
    reached: Reached | None

    @classmethod
    def of(
        cls, fallback_id: UUID, status: Status, reason: Reason | None, events: Iterable[StatusEvent]
    ) -> Self:
        """A first by its state, and what was just reported of it.

        A remark is a sign whatever the state says: who was shown it knows of it, though it bounced elsewhere.
        """
        signs = [_BY_STATE.get(status), *(_BY_REMARK.get(event.reason) for event in events if event.reason)]
        return cls(fallback_id, status, reason, max(filter(None, signs), key=_ORDER.index, default=None))

    @property
    def decides(self) -> bool:
        """Whether anything can follow from it."""
        return self.reached is not None or self.status.settled


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The fallback is not sent."""

    reason: Reason | None
    detail: str


class AtOnce:
    """The fallback need not wait any longer."""


def follows(first: First, unless: Reached) -> Cancelled | AtOnce | None:
    """What follows for a fallback that still waits, and is sent unless its first got as far as `unless`."""
    if first.reached is not None and _ORDER.index(first.reached) >= _ORDER.index(unless):
        return Cancelled(Reason.NOT_NEEDED, f"The notification before it was {first.reached}")
    if first.status is Status.CANCELLED:
        return Cancelled(first.reason, "The notification before it was cancelled")
    if first.status.settled and first.status not in _BY_STATE:
        return AtOnce()
    return None
