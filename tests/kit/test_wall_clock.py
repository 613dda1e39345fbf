"""Times on the wall, on days when the clock jumps."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tidings.kit.wall_clock import moment_of, zone_named


@pytest.mark.parametrize(
    ("zone", "wall", "first", "last"),
    [
        ("UTC", "2027-01-31T09:00", "2027-01-31T09:00", "2027-01-31T09:00"),
        ("Asia/Tokyo", "2027-01-31T09:00", "2027-01-31T00:00", "2027-01-31T00:00"),
        # New York, 14 March 2027: 02:00 to 03:00 does not exist; the clock jumps at 07:00 UTC.
        ("America/New_York", "2027-03-14T02:30", "2027-03-14T07:00", "2027-03-14T07:00"),
        # New York, 7 November 2027: 01:00 to 02:00 comes twice, from 05:00 and from 06:00 UTC.
        ("America/New_York", "2027-11-07T01:30", "2027-11-07T05:30", "2027-11-07T06:30"),
        # Apia had no 30 December 2011: the clock jumped by a day at 10:00 UTC.
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00", "2011-12-30T10:00"),
    ],
)
def test_moments(zone: str, wall: str, first: str, last: str) -> None:
    """A time that the clock skips is the moment of its jump; of one that comes twice there is a choice."""
    shown, own = datetime.fromisoformat(wall), ZoneInfo(zone)
    assert moment_of(shown, own) == datetime.fromisoformat(first).replace(tzinfo=UTC)
    assert moment_of(shown, own, fold=1) == datetime.fromisoformat(last).replace(tzinfo=UTC)


def test_zones() -> None:
    """A zone is known by its name in the IANA database; what is none says so."""
    assert zone_named("Europe/Lisbon") == ZoneInfo("Europe/Lisbon")
    for name in ("Mars/Olympus", "Europe", "../etc/passwd", "", "\0", "x" * 300):
        with pytest.raises(ValueError, match="is no time zone"):
            zone_named(name)
