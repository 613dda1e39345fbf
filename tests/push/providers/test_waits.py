"""What providers ask for with `Retry-After`, in each of its forms."""

from datetime import timedelta
from email.utils import format_datetime

import pytest

from tidings.kit.ids import now
from tidings.push.providers.calling import MAX_WAIT_SECONDS, retry_after


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", None),
        ("-1", None),
        ("1.5", None),
        ("\N{ARABIC-INDIC DIGIT SEVEN}", None),
        ("soon", None),
        ("", None),
        ("9" * 30, MAX_WAIT_SECONDS),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_WAIT_SECONDS),
        ("Fri, 31 Dec 9999 23:59:59 -0000", MAX_WAIT_SECONDS),
        ("Fri, 99 Dec 9999 23:59:59 GMT", None),
    ],
)
def test_each_form(given: str, wait: float | None) -> None:
    """Seconds or a date, a day at most; what says nothing, or lies behind us, is none."""
    assert retry_after({"Retry-After": given}) == wait


def test_a_date() -> None:
    """A date is a wait from now on."""
    wait = retry_after({"Retry-After": format_datetime(now() + timedelta(minutes=1), usegmt=True)})
    assert wait is not None
    assert 50 < wait <= 60


def test_no_header() -> None:
    """Without the header our own schedule decides."""
    assert retry_after({}) is None
