"""When a rule has its occurrences, in a bounded number of steps whatever the rule (RFC 5545).

A rule is followed on the wall clock, so that nine in the morning stays nine in the morning, and each time
that it finds is then turned into a moment.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from tidings.gateway.schedules.rule import Frequency, Rule
from tidings.kit.wall_clock import moment_of

HORIZON = timedelta(days=5 * 366)
"""A rule is looked through for so long; one without an occurrence in it counts as ended."""

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


class Occurrence(NamedTuple):
    """What the clock on the wall shows, and the moment, in UTC, at which it does."""

    wall: datetime
    at: datetime


class Recurrence:
    """A rule with its beginning, which is a time on the wall clock without a zone.

    The beginning is an occurrence only where the rule finds it.
    """

    def __init__(self, rule: Rule, start: datetime) -> None:
        self._rule = _completed(rule, start)
        self._start = start.replace(microsecond=0)
        # The hours of a day come one after another and have the same answer.
        self._includes = lru_cache(maxsize=1)(self._chooses)

    def occurrences(self, zone: tzinfo, *, since: datetime) -> Iterator[Occurrence]:
        """Those from the time `since` on the clock of `zone` on, up to five years later.

        Times that the clock skips all come at its jump, as one occurrence.
        """
        until, last = self._rule.until, None
        for wall in self.walls(since=since):
            at = moment_of(wall, zone)
            if until is not None and (at if until.tzinfo else wall) > until:
                return
            if at != last:
                yield Occurrence(wall, at)
            last = at

    def walls(self, *, since: datetime) -> Iterator[datetime]:
        """The times on the wall clock that the rule finds from `since` on, up to five years later."""
        rule, start = self._rule, self._start
        # Only who has to count the occurrences needs those before.
        begin = max(since, start) if rule.count is None else start
        end = max(since, start) + HORIZON
        found = 0
        for period in self._periods(begin, end):
            for wall in self._in_period(period, begin.date()):
                if wall < begin:
                    continue
                if found == rule.count or wall > end:
                    return
                found += 1
                if wall >= since:
                    yield wall

    def _periods(self, begin: datetime, end: datetime) -> Iterator[int]:
        """The numbers of the periods that the rule looks into, from that of `begin` to that of `end`."""
        first, interval = self._period(self._start), self._rule.interval
        skipped = (self._period(begin) - first) // interval
        numbers = range(first + skipped * interval, self._period(end) + 1, interval)
        return self._hours(numbers) if self._rule.frequency is Frequency.HOURLY else iter(numbers)

    def _hours(self, numbers: range) -> Iterator[int]:
        """Those hours that may have an occurrence: a day without one is passed over as a whole."""
        hours = self._rule.hours
        for day in range(numbers.start // 24, numbers.stop // 24 + 1):
            if self._includes(day):
                midnight = day * 24
                offset = (numbers.start - midnight) % numbers.step
                for number in range(midnight + offset, midnight + 24, numbers.step):
                    if not hours or number - midnight in hours:
                        yield number

    def _period(self, wall: datetime) -> int:
        """The number of the period that a time falls into, counted from the year 0."""
        days = wall.toordinal()
        match self._rule.frequency:
            case Frequency.YEARLY:
                return wall.year
            case Frequency.MONTHLY:
                return wall.year * 12 + wall.month - 1
            case Frequency.WEEKLY:
                return (days - 1 - self._rule.week_start) // 7
            case Frequency.DAILY:
                return days
        return days * 24 + wall.hour

    def _days(self, period: int) -> range:
        """The days of a period, as ordinals."""
        match self._rule.frequency:
            case Frequency.YEARLY:
                return range(date(period, 1, 1).toordinal(), date(period + 1, 1, 1).toordinal())
            case Frequency.MONTHLY:
                return range(_first_of_month(period).toordinal(), _first_of_month(period + 1).toordinal())
            case Frequency.WEEKLY:
                monday = period * 7 + 1
                return range(monday + self._rule.week_start, monday + self._rule.week_start + 7)
            case Frequency.DAILY:
                return range(period, period + 1)
        return range(period // 24, period // 24 + 1)

    def _in_period(self, period: int, since: date) -> Iterator[datetime]:
        days = [date.fromordinal(number) for number in self._days(period) if self._includes(number)]
        times = self._times(period) if days else []
        if not self._rule.positions:
            yield from (datetime.combine(*one) for one in product((d for d in days if d >= since), times))
            return
        count = len(days) * len(times)
        places = {place - 1 if place > 0 else count + place for place in self._rule.positions}
        for place in sorted(place for place in places if 0 <= place < count):
            yield datetime.combine(days[place // len(times)], times[place % len(times)])

    def _times(self, period: int) -> list[time]:
        hours = {period % 24} if self._rule.frequency is Frequency.HOURLY else self._rule.hours
        second = self._start.second
        return [
            time(hour, minute, second) for hour, minute in product(sorted(hours), sorted(self._rule.minutes))
        ]

    def _chooses(self, number: int) -> bool:
        rule, day = self._rule, date.fromordinal(number)
        return (
            (not rule.months or day.month in rule.months)
            and (not rule.week_numbers or _week_number_in(rule, day))
            and (not rule.year_days or _among(rule.year_days, _place_in_year(day), _days_in_year(day)))
            and (not rule.month_days or _among(rule.month_days, day.day, _days_in_month(day)))
            and (not rule.weekdays or _weekday_in(rule, day))
        )


def _completed(rule: Rule, start: datetime) -> Rule:
    """The rule with what its beginning says where it says nothing itself."""
    if not (rule.week_numbers or rule.year_days or rule.month_days or rule.weekdays):
        if rule.frequency is Frequency.YEARLY:
            rule = replace(rule, months=rule.months or frozenset({start.month}))
        if rule.frequency <= Frequency.MONTHLY:
            rule = replace(rule, month_days=frozenset({start.day}))
        elif rule.frequency is Frequency.WEEKLY:
            rule = replace(rule, weekdays=frozenset({(0, start.weekday())}))
    elif rule.week_numbers and not (rule.year_days or rule.month_days or rule.weekdays):
        rule = replace(rule, weekdays=frozenset({(0, start.weekday())}))
    if rule.frequency is not Frequency.HOURLY:
        rule = replace(rule, hours=rule.hours or frozenset({start.hour}))
    return replace(rule, minutes=rule.minutes or frozenset({start.minute}))


def _first_of_month(period: int) -> date:
    return date(period // 12, period % 12 + 1, 1)


def _among(places: frozenset[int], place: int, count: int) -> bool:
    """Whether `place` of `count` is one of the places, which are counted from the end where negative."""
    return place in places or place - count - 1 in places


def _place_in_year(day: date) -> int:
    return day.timetuple().tm_yday


def _days_in_year(day: date) -> int:
    return _place_in_year(date(day.year, 12, 31))


def _days_in_month(day: date) -> int:
    period = day.year * 12 + day.month
    return (_first_of_month(period) - _DAY).day


def _week_number_in(rule: Rule, day: date) -> bool:
    # A week belongs to the year that has its fourth day (RFC 5545; ISO 8601 where it begins on Monday).
    fourth = day + timedelta(days=3 - (day.weekday() - rule.week_start) % 7)
    number = (_place_in_year(fourth) - 1) // 7 + 1
    longest = fourth + (53 - number) * _WEEK
    return _among(rule.week_numbers, number, 53 if longest.year == fourth.year else 52)


def _weekday_in(rule: Rule, day: date) -> bool:
    weekday = day.weekday()
    if (0, weekday) in rule.weekdays:
        return True
    # A place is one in the year, unless the rule speaks of months.
    in_year = rule.frequency is Frequency.YEARLY and not rule.months
    place, count = (_place_in_year(day), _days_in_year(day)) if in_year else (day.day, _days_in_month(day))
    from_start, from_end = (place - 1) // 7 + 1, -((count - place) // 7 + 1)
    return (from_start, weekday) in rule.weekdays or (from_end, weekday) in rule.weekdays
