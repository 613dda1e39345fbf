"""What makes two failures the same."""

import pytest

from tidings.gateway.dead_letters.grouping import CAUSE_CHARS, cause_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("550 5.1.1 <ada@example.com>: unknown", "550 5.1.1 <bob@mail.example.org>: unknown"),
        ("message 01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5a", "message 01990c3e-2b1f-7c41-9a55-6f0d3c8e7b21"),
        ("from 192.0.2.1:25 refused", "from 198.51.100.77:587 refused"),
        ("queued as 4Fz8xK0Q2c", "queued as 9Ab1cD2eF3"),
        ("at 2026-01-31T12:00:00Z", "at 2026-02-01 09:30:11.123+01:00"),
        ("after 12345 ms\n in all", "after 99999 ms in all"),
    ],
)
def test_what_varies_is_no_difference(one: str, other: str) -> None:
    """Ids, addresses, hosts, times and long numbers differ from message to message."""
    assert cause_of(one) == cause_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("550 no such user", "552 no such user"),
        ("5.1.1 refused", "5.7.1 refused"),
        ("no value for name", "no value for link"),
        ("line 3 of welcome", "line 4 of welcome"),
    ],
)
def test_what_tells_causes_apart_stays(one: str, other: str) -> None:
    """Status codes, names of variables and lines of templates are different causes."""
    assert cause_of(one) != cause_of(other)


def test_a_cause_is_short() -> None:
    """Whatever a provider said, its cause fits on a few lines."""
    assert len(cause_of("word " * 1_000)) <= CAUSE_CHARS
