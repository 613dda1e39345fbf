"""From what a clock on the wall shows to the moment at which it does, on days when the clock jumps too."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def zone_named(name: str) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises:
        ValueError: there is none.
    """
    try:
        return ZoneInfo(name)
    # A name may be one of a folder too, of a file that is no zone, or of a place outside the database.
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone of the IANA database, such as Europe/Lisbon") from error


def moment_of(wall: datetime, zone: tzinfo, *, fold: int = 0) -> datetime:
    """The moment, in UTC, at which the clock of `zone` shows `wall`, which has no zone itself.

    Of a time that comes twice, the first (`fold` 0) or the last (1). A time that the clock skips is the
    moment of the jump.
    """
    moment = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None, fold=0) == wall.replace(fold=0):
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
