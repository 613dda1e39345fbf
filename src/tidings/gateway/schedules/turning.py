"""Which occurrence of a schedule's is to be sent now, which are lost, and which comes next."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from tidings.gateway.schedules.occurrences import Occurrence, Recurrence

MOST_MISSED = 1_000
"""How many occurrences that were missed are gone through in one go."""
LATEST_SHIFT = timedelta(hours=3)
"""More than any clock was ever set back by, so what was shown so long ago comes no more."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is due of a schedule. `skipped` were missed; without a `following` it has ended."""

    due: Occurrence | None
    skipped: int
    following: Occurrence | None


def turn_of(recurrence: Recurrence, zone: tzinfo, *, since: datetime, at: datetime, grace: timedelta) -> Turn:
    """What is due at the moment `at`, from the time `since` on the clock of `zone` on.

    Of several that are due only the newest is sent, and only within `grace` after its moment.
    """
    newest: Occurrence | None = None
    following: Occurrence | None = None
    skipped = 0
    for one in recurrence.occurrences(zone, since=since):
        if one.at > at or skipped == MOST_MISSED:
            following = one
            break
        skipped += newest is not None
        newest = one
    if newest is None or (following is not None and following.at <= at) or at - newest.at > grace:
        return Turn(None, skipped + (newest is not None), following)
    return Turn(newest, skipped, following)


def first_after(recurrence: Recurrence, zone: tzinfo, at: datetime) -> Occurrence | None:
    """The first occurrence after a moment; None: there is none within five years."""
    since = at.astimezone(zone).replace(tzinfo=None, fold=0) - LATEST_SHIFT
    found = recurrence.occurrences(zone, since=since)
    return next((one for one in found if one.at > at), None)
