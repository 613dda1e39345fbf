"""Moments within words."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tidings.kit.moments import written


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 2, 1, 6, 0, 0, tzinfo=UTC),
        datetime(2026, 2, 1, 6, 0, 0, 987_654, tzinfo=UTC),
        datetime(2026, 2, 1, 7, 0, 0, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_one_way_of_writing(moment: datetime) -> None:
    """Whatever its zone and fraction, a moment reads as the API writes it, to the second."""
    assert written(moment) == "2026-02-01T06:00:00Z"
