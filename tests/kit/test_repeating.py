"""Work that is done again and again."""

import asyncio

import pytest
from structlog.testing import capture_logs

from tidings.kit.errors import Unavailable
from tidings.kit.repeating import repeat


async def test_it_goes_on_whatever_happens() -> None:
    """A database that is away and a fault of our own are each told of, and end nothing."""
    away = Unavailable("The database does not answer", code="database_unavailable")
    outcomes: list[BaseException | None] = [None, away, KeyError("x"), None, asyncio.CancelledError()]

    async def work() -> None:
        if outcome := outcomes.pop(0):
            raise outcome

    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await repeat(work, seconds=0, failed="cleaning_failed")
    assert [(one["event"], one["log_level"]) for one in logs] == [
        ("cleaning_failed", "warning"),
        ("cleaning_failed", "error"),
    ]
    assert not outcomes
