"""Ids in time: which UUIDv7 begins a moment, and which ids a week has."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

WEEK = timedelta(days=7)
_RANDOM_BITS = 80
"""Behind the 48 bits of milliseconds (RFC 9562, section 5.7)."""


def first_id(moment: datetime) -> UUID:
    """An id before all that are made from this moment on, and after all made before."""
    return UUID(int=int(moment.timestamp() * 1000) << _RANDOM_BITS)


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from a Monday, 00:00 UTC."""

    monday: datetime

    @classmethod
    def of(cls, moment: datetime) -> "Week":
        """The week that a moment is in."""
        day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return cls(day - timedelta(days=day.weekday()))

    @property
    def first(self) -> UUID:
        """Its least id."""
        return first_id(self.monday)

    @property
    def end(self) -> UUID:
        """The least id of the next week."""
        return first_id(self.monday + WEEK)

    @property
    def suffix(self) -> str:
        """What a partition of this week has behind the table's name."""
        return f"{self.monday:%Y%m%d}"

    def following(self, count: int) -> Iterator["Week"]:
        """This week and so many after it."""
        return (Week(self.monday + number * WEEK) for number in range(count + 1))
