"""Filters that speak the reader's language: dates, times, numbers and money, by Babel (Unicode CLDR)."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal, format_percent

LARGEST = Decimal(10) ** 16
"""Numbers from here on are refused: one with an exponent of a million would print a million digits.

With `MAX_DECIMALS`, and as a percentage, the others stay within the 28 digits that decimals have.
"""

MAX_DECIMALS = 9
MAX_SHOWN = 80

_MOMENT = '(format), with short, medium, long, full or a pattern such as "d MMMM y", and a zone if you like'
USAGE = {
    "date": f"date{_MOMENT}",
    "time": f"time{_MOMENT}",
    "datetime": f"datetime{_MOMENT}",
    "number": "number, or number(decimals)",
    "percent": "percent, or percent(decimals)",
    "currency": 'currency("EUR")',
}

_T = TypeVar("_T")
_ONES = re.compile(r"0(?:\.[0#]+)?")
_CURRENCY = re.compile(r"[A-Z]{3}\Z")


class FilterError(ValueError):
    """A value that a filter cannot show. The message begins with the filter's name."""


class LocalFilters:
    """`date`, `time`, `datetime`, `number`, `percent` and `currency`, in the locale of the present render.

    With `lenient`, a value that is not there prints as nothing; a template is tried out that way.
    """

    def __init__(self, *, lenient: bool = False) -> None:
        self._lenient = lenient
        self._locale = babel_locale("en")

    def use(self, locale: str) -> None:
        """Show values as `locale` (BCP 47) does from now on; an unknown one as its parent, else English."""
        self._locale = babel_locale(locale)

    def by_name(self) -> dict[str, Callable[..., str]]:
        """The filters as the engine takes them."""
        kinds: dict[str, Callable[..., str]] = {
            "date": self._date,
            "time": self._time,
            "datetime": self._datetime,
            "number": self._number,
            "percent": self._percent,
            "currency": self._currency,
        }
        return {name: self._guarded(name, show) for name, show in kinds.items()}

    def _guarded(self, name: str, show: Callable[..., str]) -> Callable[..., str]:
        def guarded(value: Any = None, *args: Any, **named: Any) -> str:  # noqa: ANN401 - templates pass anything
            if value is None:
                # The engine hands over what is missing and what is null alike, so null is refused as well.
                if self._lenient:
                    return ""
                raise FilterError(f"{name}: the value is missing or null")
            try:
                return show(value, *args, **named)
            except (OSError, OverflowError, ValueError) as error:
                raise FilterError(f"{name}: {_shortened(str(error))}") from error
            # What Babel makes of a pattern that is none is not documented; it has raised all of these.
            except (TypeError, LookupError, AttributeError) as error:
                raise FilterError(f"{name}: write it as {USAGE[name]}") from error

        return guarded

    def _date(self, value: Any, format: str = "medium", zone: str | None = None) -> str:  # noqa: A002, ANN401 - the filter's argument is named so; templates pass anything
        return format_date(_moment(value, zone), format, locale=self._locale)

    def _time(self, value: Any, format: str = "short", zone: str | None = None) -> str:  # noqa: A002, ANN401 - the same
        moment = _clock(value) or _moment(value, zone)
        return format_time(moment, format, tzinfo=moment.tzinfo, locale=self._locale)

    def _datetime(self, value: Any, format: str = "medium", zone: str | None = None) -> str:  # noqa: A002, ANN401 - the same
        moment = _moment(value, zone)
        return format_datetime(moment, format, tzinfo=moment.tzinfo, locale=self._locale)

    def _number(self, value: Any, decimals: int | None = None) -> str:  # noqa: ANN401 - the same
        pattern = _with_decimals(self._locale.decimal_formats[None].pattern, decimals)
        return format_decimal(_decimal(value), pattern, locale=self._locale)

    def _percent(self, value: Any, decimals: int | None = None) -> str:  # noqa: ANN401 - the same
        pattern = _with_decimals(self._locale.percent_formats[None].pattern, decimals)
        return format_percent(_decimal(value), pattern, locale=self._locale)

    def _currency(self, value: Any, code: str) -> str:  # noqa: ANN401 - the same
        if not _CURRENCY.match(code):
            raise ValueError(f"{code!r} is not an ISO 4217 code such as EUR")
        return format_currency(_decimal(value), code, locale=self._locale)


@lru_cache(maxsize=512)
def babel_locale(tag: str) -> Locale:
    """What is known of a locale, or of its nearest parent; of English where nothing is known."""
    while tag:
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            tag = tag.rpartition("-")[0]
    return Locale("en")


def _moment(value: object, zone: str | None) -> datetime:
    """A moment as its reader's clock shows it: a time without an offset is UTC, a date has no zone."""
    wanted = _zone(zone) if zone is not None else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{_shown(value)} is neither an ISO 8601 string nor seconds since 1970")  # noqa: TRY004 - a value that does not fit; TypeError is a filter used wrongly
    if isinstance(value, str):
        if len(value) == len("2026-01-31"):
            return datetime.combine(_parsed(date.fromisoformat, value), time(), tzinfo=UTC)
        moment = _parsed(datetime.fromisoformat, value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    else:
        moment = datetime.fromtimestamp(value, UTC)
    return moment.astimezone(wanted) if wanted else moment


def _clock(value: object) -> time | None:
    """A time of day that belongs to no date: 18:30."""
    if not isinstance(value, str) or not re.match(r"\d\d:\d\d", value):
        return None
    clock = _parsed(time.fromisoformat, value)
    return clock if clock.tzinfo else clock.replace(tzinfo=UTC)


def _parsed(parse: Callable[[str], _T], value: str) -> _T:
    try:
        return parse(value)
    except ValueError:
        raise ValueError(f"{_shown(value)} is not a date or time as ISO 8601 writes it") from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, LookupError, OSError):
        raise ValueError(f"there is no time zone {_shown(name)}") from None


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError(f"{_shown(value)} is not a number")  # noqa: TRY004 - as in _moment
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{_shown(value)} is not a number") from None
    if not number.is_finite() or abs(number) >= LARGEST:
        raise ValueError(f"{_shown(value)} is too large to show")
    return number


def _with_decimals(pattern: str, decimals: int | None) -> str:
    """A number pattern of CLDR such as `#,##0.###`, with as many decimals as asked for."""
    if decimals is None:
        return pattern
    if not isinstance(decimals, int):
        raise TypeError
    if not 0 <= decimals <= MAX_DECIMALS:
        raise ValueError(f"decimals is {decimals}, and must be between 0 and {MAX_DECIMALS}")
    return _ONES.sub(f"0.{'0' * decimals}" if decimals else "0", pattern, count=1)


def _shown(value: object) -> str:
    return _shortened(repr(value))


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
