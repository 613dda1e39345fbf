"""Quiet hours on a wall clock that jumps twice a year."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from tidings.contracts.users import QuietHours, Weekday

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
            yield _moment(begins_on, start, zone, fold=0), _moment(ends_on, end, zone, fold=1)


def _moment(day: date, clock: time, zone: tzinfo, *, fold: int) -> datetime:
    """The first (`fold` 0) or last (1) moment at which the clock shows this; the jump, if it never does."""
    wall = datetime.combine(day, clock)
    moment = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    # PEP 495: of a time that never was, fold 1 is read as before the jump and fold 0 as after it.
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return _jump(before, after, zone)


def _jump(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
