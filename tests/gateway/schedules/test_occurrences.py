"""Recurrence rules: what they find, on which side of a clock change, and that they come to an end."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from tidings.gateway.schedules.occurrences import HORIZON, Recurrence
from tidings.gateway.schedules.rule import parse_rule

wall = datetime.fromisoformat

START = wall("1997-09-02T09:00")  # the beginning in most examples of RFC 5545, section 3.8.5.3
NEW_YORK = ZoneInfo("America/New_York")
ZONES = [
    *("UTC", "Europe/Lisbon", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"),
    *("Pacific/Chatham", "America/St_Johns", "Africa/Casablanca", "Pacific/Apia"),
]
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def found(rule: str, start: datetime = START) -> Recurrence:
    return Recurrence(parse_rule(rule), start)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=DAILY;INTERVAL=10;COUNT=5", "1997 09-02 09-12 09-22 10-02 10-12"),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;WKST=SU;BYDAY=TU,TH", "1997 09-02 09-04 09-16 09-18"),
        ("FREQ=MONTHLY;COUNT=4;BYDAY=1FR", "1997 09-05 10-03 11-07 12-05"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=-2MO", "1997 09-22 10-20 11-17"),
        ("FREQ=MONTHLY;BYMONTHDAY=-3;COUNT=3", "1997 09-28 10-29 11-28"),
        ("FREQ=MONTHLY;COUNT=4;BYMONTHDAY=1,-1", "1997 09-30 10-01 10-31 11-01"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997 09-04 10-07 11-06"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2;COUNT=3", "1997 09-29 10-30 11-27"),
        ("FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13;COUNT=3", "1997 09-13 10-11 11-08"),
        ("FREQ=MONTHLY;BYDAY=MO,1TU;COUNT=4", "1997 09-02 09-08 09-15 09-22"),
        ("FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=1;COUNT=2", "1997 09-08 09-15"),
        ("FREQ=YEARLY;BYWEEKNO=-1;COUNT=1", "1997 12-23"),
        ("FREQ=YEARLY;BYDAY=-1TU;COUNT=1", "1997 12-30"),
        ("FREQ=YEARLY;COUNT=3;BYMONTH=10,11;BYDAY=1MO", "1997 10-06 11-03"),
        ("freq=daily;until=19970904", "1997 09-02 09-03 09-04"),
    ],
)
def test_examples_of_the_standard(rule: str, expected: str) -> None:
    """Rules find the days that RFC 5545 says they do."""
    year, *days = expected.split()
    walls = [one.wall for one in found(rule).occurrences(NEW_YORK, since=START)]
    assert [f"{one:%m-%d}" for one in walls if one.year == int(year)] == days


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("", "no part of a rule"),
        ("DAILY", "no part of a rule"),
        ("INTERVAL=2", "FREQ is missing"),
        ("FREQ=MINUTELY", "it is YEARLY, MONTHLY, WEEKLY, DAILY or HOURLY"),
        ("FREQ=DAILY;FREQ=DAILY", "twice"),
        ("FREQ=DAILY;BYEASTER=1", "There is no part 'BYEASTER'"),
        ("FREQ=DAILY;BYSECOND=1", "There is no part 'BYSECOND'"),
        ("FREQ=DAILY\nDTSTART:19970902T090000", "it is YEARLY"),
        ("FREQ=DAILY;COUNT=2;UNTIL=19980101", "exclude each other"),
        ("FREQ=DAILY;COUNT=1001", "from 1 to 1,000"),
        ("FREQ=DAILY;INTERVAL=1001", "from 1 to 1,000"),
        ("FREQ=DAILY;BYHOUR=24", "from 0 to 23"),
        ("FREQ=DAILY;BYMONTHDAY=0", "from 1 to 31, or from -1 to -31"),
        ("FREQ=DAILY;BYDAY=1MO", "Places in BYDAY"),
        ("FREQ=MONTHLY;BYDAY=XX", "a day is one of"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "does not go with FREQ=WEEKLY"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "FREQ=YEARLY only"),
        ("FREQ=DAILY;BYYEARDAY=1", "FREQ=YEARLY and FREQ=HOURLY only"),
        ("FREQ=DAILY;BYSETPOS=1", "another BY part only"),
        ("FREQ=DAILY;UNTIL=tomorrow", "it looks like"),
        ("FREQ=DAILY;UNTIL=19970231", "there is no such day"),
    ],
)
def test_rules_that_are_none(rule: str, words: str) -> None:
    """What is no rule is refused with what is wrong in it."""
    with pytest.raises(ValueError, match=words):
        parse_rule(rule)


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Rules on which dateutil and the standard agree."""
    frequency = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"]))

    def some(name: str, least: int, most: int, *, signed: bool = False) -> list[str]:
        number = st.integers(least, most)
        either = st.one_of(number, number.map(lambda one: -one)) if signed else number
        chosen = draw(st.lists(either, max_size=3, unique=True))
        return [f"{name}={','.join(map(str, chosen))}"] if chosen else []

    parts = [f"FREQ={frequency}", f"INTERVAL={draw(st.integers(1, 4))}"]
    parts += some("BYMONTH", 1, 12)
    parts += some("BYHOUR", 0, 23) + some("BYMINUTE", 0, 59)
    weekdays = draw(st.lists(st.sampled_from(WEEKDAYS), max_size=3, unique=True))
    places = draw(st.sampled_from(["", "1", "-1", "2"])) if frequency in {"YEARLY", "MONTHLY"} else ""
    by_day = [f"BYDAY={','.join(places + day for day in weekdays)}"] if weekdays else []
    if frequency != "WEEKLY":
        parts += some("BYMONTHDAY", 1, 31, signed=True)
    if frequency == "YEARLY":
        parts += some("BYYEARDAY", 1, 366, signed=True)
        if by_day and not places:  # without a day dateutil takes all of the week, the standard one
            parts += some("BYWEEKNO", 1, 53, signed=True)
    parts += [*by_day, f"WKST={draw(st.sampled_from(WEEKDAYS))}"]
    # Of the first week dateutil takes what is left of it, the standard the whole.
    if frequency != "WEEKLY" and any(part.startswith("BY") for part in parts):
        parts += some("BYSETPOS", 1, 9, signed=True)
    return ";".join(parts)


starts = st.datetimes(wall("2020-01-01"), wall("2040-01-01")).map(lambda one: one.replace(microsecond=0))


@given(rules(), starts)
def test_as_dateutil_has_it(rule: str, start: datetime) -> None:
    """What a rule finds first is what dateutil finds first."""
    walls = list(islice(found(rule, start).walls(since=start), 12))
    # dateutil would look through 8,000 years for more than there are.
    assert not walls or list(islice(rrulestr(rule, dtstart=start), len(walls))) == walls


@given(rules(), starts, st.timedeltas(timedelta(), timedelta(days=900)), st.sampled_from([None, 3, 40]))
def test_beginning_later(rule: str, start: datetime, later: timedelta, count: int | None) -> None:
    """Whoever looks at a rule later finds the same occurrences that are left."""
    rule = rule if count is None else f"{rule};COUNT={count}"
    since = start + later
    whole = islice(found(rule, start).walls(since=start), 200)
    rest = list(islice(found(rule, start).walls(since=since), 5))
    seen = [one for one in whole if one >= since]
    assert [one for one, _ in zip(rest, seen, strict=False)] == seen[:5]


@given(rules(), starts, st.sampled_from(ZONES))
def test_moments_go_forward(rule: str, start: datetime, zone: str) -> None:
    """Each moment is later than the one before, and its clock shows what the rule says, or has jumped."""
    own = ZoneInfo(zone)
    occurrences = list(islice(found(rule, start).occurrences(own, since=start), 50))
    assert all(one.at < other.at for one, other in pairwise(occurrences))
    for showing, at in occurrences:
        shown = at.astimezone(own).replace(tzinfo=None, fold=0)
        just_before = (at - timedelta(seconds=1)).astimezone(own).replace(tzinfo=None, fold=0)
        assert shown == showing or just_before < showing < shown


def test_hours_that_come_never_and_twice() -> None:
    """Of hours that the clock skips one is left, at the jump; of an hour that comes twice, the first."""
    hourly = found("FREQ=HOURLY", wall("2026-03-08"))
    spring = [f"{one.at:%H:%M}" for one in islice(hourly.occurrences(NEW_YORK, since=wall("2026-03-08")), 4)]
    assert spring == ["05:00", "06:00", "07:00", "08:00"]  # 00:00, 01:00, 03:00 and 04:00 on the wall
    daily = found("FREQ=DAILY;BYHOUR=1;BYMINUTE=30", wall("2026-10-31"))
    autumn = [one.at for one in islice(daily.occurrences(NEW_YORK, since=wall("2026-10-31")), 3)]
    assert [f"{one:%d %H:%M}" for one in autumn] == ["31 05:30", "01 05:30", "02 06:30"]


def test_the_clock_stays() -> None:
    """Nine in the morning is nine in the morning in summer and in winter."""
    daily = found("FREQ=DAILY", wall("2026-10-24T09:00"))
    zone = ZoneInfo("Europe/Lisbon")
    moments = [one.at for one in islice(daily.occurrences(zone, since=wall("2026-10-24")), 2)]
    assert moments == [datetime(2026, 10, 24, 8, tzinfo=UTC), datetime(2026, 10, 25, 9, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("until", "count"), [("19970904T120000Z", 2), ("19970904T130000Z", 3), ("19970904T090000", 3)]
)
def test_until(until: str, count: int) -> None:
    """A rule ends at a moment in UTC, or at a time on the wall clock; what is at the very time counts."""
    rule = found(f"FREQ=DAILY;UNTIL={until}")
    assert len(list(rule.occurrences(NEW_YORK, since=START))) == count


@pytest.mark.parametrize("frequency", ["HOURLY", "DAILY", "MONTHLY", "YEARLY"])
def test_a_day_that_never_comes(frequency: str) -> None:
    """A rule that contradicts itself finds nothing, and is through with it."""
    never = found(f"FREQ={frequency};BYMONTH=2;BYMONTHDAY=30")
    assert list(never.walls(since=START)) == []


def test_what_is_too_far() -> None:
    """An occurrence more than five years after the time that is asked about is not looked for."""
    rare = found("FREQ=YEARLY;INTERVAL=6")
    assert list(rare.walls(since=START + timedelta(days=1))) == []
    assert list(rare.walls(since=START + timedelta(days=6 * 366) - HORIZON)) != []
