"""Quiet hours on a wall clock that jumps twice a year."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo

from tidings.contracts.users import QuietHours, Weekday
from tidings.kit.wall_clock import moment_of

LONGEST = timedelta(days=8)
"""Quiet hours that follow one another without a gap end after this at the latest."""

_DAY = timedelta(days=1)
_WEEKDAYS = tuple(Weekday)


def quiet_until(hours: Iterable[QuietHours], zone: tzinfo, at: datetime) -> datetime | None:
    """When the quiet ends that `at` falls into, in UTC; None when it is not quiet at `at`.

    In doubt it is quiet. A start that the clock skips in spring begins when the clock jumps; an end
    that it skips ends then. A start that comes twice in autumn begins the first time, an end that
    comes twice ends the second time.
    """
    spans = [span for one in hours for span in _spans(one, zone, at)]
    moment = at
    while (end := max((end for start, end in spans if start <= moment < end), default=None)) is not None:
        moment = end
        if moment - at >= LONGEST:
            break
    return None if moment == at else moment.astimezone(UTC)


def _spans(hours: QuietHours, zone: tzinfo, at: datetime) -> Iterator[tuple[datetime, datetime]]:
    start, end = time.fromisoformat(hours.start), time.fromisoformat(hours.end)
    today = at.astimezone(zone).date()
    for days in range(-1, LONGEST.days + 1):
        begins_on = today + days * _DAY
        if _WEEKDAYS[begins_on.weekday()] in hours.days:
            ends_on = begins_on if end > start else begins_on + _DAY
            begins, ends = datetime.combine(begins_on, start), datetime.combine(ends_on, end)
            yield moment_of(begins, zone), moment_of(ends, zone, fold=1)
