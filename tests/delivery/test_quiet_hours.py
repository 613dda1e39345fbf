"""Quiet hours in several zones, and on the days when the clock jumps."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tidings.contracts.users import QuietHours, Weekday
from tidings.delivery.quiet_hours import LONGEST, quiet_until

NIGHT = QuietHours(start="22:00", end="07:00")
ZONES = [
    *("UTC", "Europe/Lisbon", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"),
    *("Pacific/Chatham", "America/St_Johns", "Africa/Casablanca", "Pacific/Kiritimati"),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "at", "end"),
    [
        ("Europe/Lisbon", "2026-01-10T23:00", "2026-01-11T07:00"),
        ("Europe/Lisbon", "2026-01-11T06:59:59", "2026-01-11T07:00"),
        ("Europe/Lisbon", "2026-01-11T07:00", None),
        ("Europe/Lisbon", "2026-01-11T21:59", None),
        ("Asia/Kolkata", "2026-01-10T17:00", "2026-01-11T01:30"),
        ("America/New_York", "2026-07-01T02:30", "2026-07-01T11:00"),
    ],
)
def test_night_in_the_zone_of_the_person(zone: str, at: str, end: str | None) -> None:
    """A night from 22:00 to 07:00 is the person's night, wherever they are."""
    assert quiet_until([NIGHT], ZoneInfo(zone), utc(at)) == (utc(end) if end else None)


def test_days_name_the_evening() -> None:
    """The days say on which evening the quiet begins: Friday's night reaches into Saturday."""
    friday = QuietHours(days=(Weekday.FRI,), start="22:00", end="07:00")
    saturday_morning, sunday_morning = utc("2026-01-10T03:00"), utc("2026-01-11T03:00")
    assert quiet_until([friday], ZoneInfo("UTC"), saturday_morning) == utc("2026-01-10T07:00")
    assert quiet_until([friday], ZoneInfo("UTC"), sunday_morning) is None


def test_hours_that_follow_one_another() -> None:
    """Quiet hours without a gap between them end when the last one does."""
    hours = [QuietHours(start="20:00", end="22:00"), QuietHours(start="21:00", end="23:30")]
    assert quiet_until(hours, ZoneInfo("UTC"), utc("2026-01-10T20:30")) == utc("2026-01-10T23:30")


def test_endless_quiet_ends() -> None:
    """Quiet hours that never leave a gap hold a message back for eight days, and not for ever."""
    hours = [QuietHours(start="00:00", end="12:00"), QuietHours(start="12:00", end="00:00")]
    at = utc("2026-01-10T20:30")
    end = quiet_until(hours, ZoneInfo("UTC"), at)
    assert end is not None
    assert LONGEST <= end - at < LONGEST + timedelta(days=2)


@pytest.mark.parametrize(
    ("zone", "start", "end", "at", "until"),
    [
        # New York, 8 March 2026: 02:00 to 03:00 does not exist; the clock jumps at 07:00 UTC.
        ("America/New_York", "22:00", "02:30", "2026-03-08T06:59", "2026-03-08T07:00"),
        ("America/New_York", "02:30", "05:00", "2026-03-08T07:00", "2026-03-08T09:00"),
        ("America/New_York", "02:30", "05:00", "2026-03-08T06:59", None),
        # New York, 1 November 2026: 01:00 to 02:00 comes twice, from 05:00 and from 06:00 UTC.
        ("America/New_York", "22:00", "01:30", "2026-11-01T05:45", "2026-11-01T06:30"),
        ("America/New_York", "01:30", "03:00", "2026-11-01T05:30", "2026-11-01T08:00"),
        ("America/New_York", "01:30", "03:00", "2026-11-01T06:15", "2026-11-01T08:00"),
        # Lisbon, 29 March 2026: 01:00 to 02:00 does not exist; the clock jumps at 01:00 UTC.
        ("Europe/Lisbon", "22:00", "01:15", "2026-03-29T00:30", "2026-03-29T01:00"),
        # Lord Howe Island, 5 April 2026: half an hour comes twice, 01:30 to 02:00 from 14:30 UTC.
        ("Australia/Lord_Howe", "22:00", "01:45", "2026-04-04T15:10", "2026-04-04T15:15"),
        # Lord Howe Island, 4 October 2026: 02:00 to 02:30 does not exist; the jump is at 15:30 UTC.
        ("Australia/Lord_Howe", "22:00", "02:15", "2026-10-03T15:20", "2026-10-03T15:30"),
    ],
)
def test_skipped_and_repeated_hours(zone: str, start: str, end: str, at: str, until: str | None) -> None:
    """A skipped end or start is the jump; a repeated start is the first one, a repeated end the second."""
    found = quiet_until([QuietHours(start=start, end=end)], ZoneInfo(zone), utc(at))
    assert found == (utc(until) if until else None)


def test_a_day_that_never_was() -> None:
    """Samoa left out 30 December 2011: a night that would end on that day ends when the calendar jumps."""
    apia = ZoneInfo("Pacific/Apia")
    at = datetime(2011, 12, 29, 23, 0, tzinfo=apia)
    end = quiet_until([NIGHT], apia, at)
    assert end is not None
    assert end.astimezone(apia).date().isoformat() == "2011-12-31"


clock = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
hours = st.builds(
    QuietHours,
    days=st.lists(st.sampled_from(Weekday), min_size=1, unique=True).map(tuple),
    start=clock,
    end=clock,
)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


@given(st.lists(hours, max_size=3), st.sampled_from(ZONES), moments)
def test_after_the_end_it_is_not_quiet(quiet: list[QuietHours], zone: str, at: datetime) -> None:
    """The end is after the moment asked for, and from then on messages may be sent."""
    assume(all(one.start != one.end for one in quiet))
    end = quiet_until(quiet, ZoneInfo(zone), at)
    if end is not None:
        assert end > at
        assert end - at >= LONGEST or quiet_until(quiet, ZoneInfo(zone), end) is None


@given(hours, st.sampled_from(ZONES), moments)
def test_agrees_with_the_clock_on_the_wall(quiet: QuietHours, zone: str, at: datetime) -> None:
    """Where the clock does not jump nearby, it is quiet just when the clock on the wall says so."""
    assume(quiet.start != quiet.end)
    here = ZoneInfo(zone)
    nearby = [(at + timedelta(hours=shift)).astimezone(here).utcoffset() for shift in range(-30, 31, 2)]
    assume(len(set(nearby)) == 1)
    wall = at.astimezone(here)
    days = list(Weekday)
    today, yesterday = days[wall.weekday()], days[wall.weekday() - 1]
    now, crosses = f"{wall:%H:%M}", quiet.end < quiet.start
    since_today = today in quiet.days and quiet.start <= now and (crosses or now < quiet.end)
    since_yesterday = crosses and yesterday in quiet.days and now < quiet.end
    assert (quiet_until([quiet], here, at) is not None) == (since_today or since_yesterday)
