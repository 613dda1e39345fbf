"""Reading recurrence rules of iCalendar (RFC 5545, section 3.3.10)."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from enum import IntEnum
from functools import partial
from typing import Any

MAX_INTERVAL = 1_000
MAX_COUNT = 1_000
MAX_CHARACTERS = 1_000


class Frequency(IntEnum):
    """How long a period of a rule is, from the longest to the shortest."""

    YEARLY = 0
    MONTHLY = 1
    WEEKLY = 2
    DAILY = 3
    HOURLY = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule whose parts fit together. A part that was not given is empty, or None.

    `weekdays` are pairs of a place (0: every one; 2: the second; -1: the last) and a day (Monday is 0).
    `until`: the last moment, or where it has no zone, the last that the clock on the wall may show.
    """

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    months: frozenset[int] = frozenset()
    week_numbers: frozenset[int] = frozenset()
    year_days: frozenset[int] = frozenset()
    month_days: frozenset[int] = frozenset()
    weekdays: frozenset[tuple[int, int]] = frozenset()
    hours: frozenset[int] = frozenset()
    minutes: frozenset[int] = frozenset()
    positions: frozenset[int] = frozenset()
    week_start: int = 0


def parse_rule(text: str) -> Rule:
    """The rule that the value of an RRULE stands for, such as `FREQ=WEEKLY;BYDAY=MO,TH`.

    Raises:
        ValueError: it is none, or it recurs more often than every minute.
    """
    given = _parts(text)
    if "FREQ" not in given:
        raise ValueError("FREQ is missing: YEARLY, MONTHLY, WEEKLY, DAILY or HOURLY")
    fields: dict[str, Any] = {_READERS[name][0]: _READERS[name][1](name, given[name]) for name in given}
    rule = Rule(**fields)
    for words in _misfits(rule):
        raise ValueError(words)
    return rule


def _parts(text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for part in text.strip().upper().split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise ValueError(
                f"{part!r} is no part of a rule; parts look like FREQ=DAILY, with ; between them"
            )
        if name not in _READERS:
            raise ValueError(f"There is no part {name!r} here. There are {', '.join(_READERS)}")
        if name in given:
            raise ValueError(f"{name} is given twice")
        given[name] = value
    return given


def _misfits(rule: Rule) -> Iterator[str]:
    """What the standard has no meaning for."""
    frequency = rule.frequency
    placed = any(place for place, _ in rule.weekdays)
    if rule.count is not None and rule.until is not None:
        yield "COUNT and UNTIL exclude each other"
    if rule.week_numbers and frequency is not Frequency.YEARLY:
        yield "BYWEEKNO goes with FREQ=YEARLY only"
    if rule.year_days and frequency not in {Frequency.YEARLY, Frequency.HOURLY}:
        yield "BYYEARDAY goes with FREQ=YEARLY and FREQ=HOURLY only"
    if rule.month_days and frequency is Frequency.WEEKLY:
        yield "BYMONTHDAY does not go with FREQ=WEEKLY"
    if placed and (frequency > Frequency.MONTHLY or rule.week_numbers):
        yield "Places in BYDAY, such as 2MO, go with FREQ=MONTHLY and FREQ=YEARLY only, without BYWEEKNO"
    if rule.positions and not _chooses(rule):
        yield "BYSETPOS goes with another BY part only"


def _chooses(rule: Rule) -> bool:
    days = rule.months or rule.week_numbers or rule.year_days or rule.month_days or rule.weekdays
    return bool(days or rule.hours or rule.minutes)


def _frequency(name: str, value: str) -> Frequency:
    if value not in Frequency.__members__:
        raise ValueError(f"{name}={value}: it is YEARLY, MONTHLY, WEEKLY, DAILY or HOURLY")
    return Frequency[value]


def _number(name: str, value: str, *, least: int = 1, most: int, signed: bool = False) -> int:
    found = re.fullmatch(r"([+-]?)([0-9]{1,5})", value, re.ASCII)
    if not found or (found[1] and not signed) or not least <= int(found[2]) <= most:
        or_negative = f", or from -{least} to -{most}" if signed else ""
        raise ValueError(f"{name}={value}: a number goes from {least} to {most:,}{or_negative}")
    return int(value)


def _numbers(name: str, value: str, *, least: int = 1, most: int, signed: bool = False) -> frozenset[int]:
    read = partial(_number, name, least=least, most=most, signed=signed)
    return frozenset(read(one) for one in value.split(","))


def _weekday(name: str, value: str) -> int:
    if value not in _WEEKDAYS:
        raise ValueError(f"{name}={value}: a day is one of {', '.join(_WEEKDAYS)}")
    return _WEEKDAYS.index(value)


def _weekdays(name: str, value: str) -> frozenset[tuple[int, int]]:
    return frozenset(_placed_weekday(name, one) for one in value.split(","))


def _placed_weekday(name: str, value: str) -> tuple[int, int]:
    place, day = value[:-2], value[-2:]
    return (_number(name, place, most=53, signed=True) if place else 0, _weekday(name, day))


def _until(name: str, value: str) -> datetime:
    if not re.fullmatch(r"[0-9]{8}(T[0-9]{6}Z?)?", value, re.ASCII):
        raise ValueError(f"{name}={value}: it looks like 20271231, 20271231T235959 or 20271231T235959Z")
    try:
        until = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{name}={value}: there is no such day or time") from error
    return until if "T" in value else datetime.combine(until, time.max)


_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_READERS: Mapping[str, tuple[str, Callable[[str, str], object]]] = {
    "FREQ": ("frequency", _frequency),
    "INTERVAL": ("interval", partial(_number, most=MAX_INTERVAL)),
    "COUNT": ("count", partial(_number, most=MAX_COUNT)),
    "UNTIL": ("until", _until),
    "BYMONTH": ("months", partial(_numbers, most=12)),
    "BYWEEKNO": ("week_numbers", partial(_numbers, most=53, signed=True)),
    "BYYEARDAY": ("year_days", partial(_numbers, most=366, signed=True)),
    "BYMONTHDAY": ("month_days", partial(_numbers, most=31, signed=True)),
    "BYDAY": ("weekdays", _weekdays),
    "BYHOUR": ("hours", partial(_numbers, least=0, most=23)),
    "BYMINUTE": ("minutes", partial(_numbers, least=0, most=59)),
    "BYSETPOS": ("positions", partial(_numbers, most=366, signed=True)),
    "WKST": ("week_start", _weekday),
}
