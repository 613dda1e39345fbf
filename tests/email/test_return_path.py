"""Return paths: each email's own, which nobody else can make."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.email.return_path import ReturnPath

PATHS = ReturnPath("a secret", "bounces.example.com", "hello@example.com")
LOCAL_PART_LIMIT = 64  # RFC 5321, section 4.5.3.1.1


@given(st.uuids(), st.emails())
def test_it_says_which_email_it_belongs_to(notification_id: UUID, to: str) -> None:
    """The path of an email leads back to its notification, and knows the address it went to."""
    bounced = PATHS.read(PATHS.of(notification_id, to))
    assert bounced is not None
    assert bounced.notification_id == notification_id
    assert bounced.fits(to)


@given(st.uuids(), st.emails(), st.data())
def test_a_changed_path_is_not_ours(notification_id: UUID, to: str, data: st.DataObject) -> None:
    """Whoever changes a single character of a path holds nothing."""
    path = PATHS.of(notification_id, to)
    place = data.draw(st.integers(0, len(path) - 1))
    other = data.draw(st.sampled_from("abcxyz234567@+.=").filter(lambda one: one != path[place]))
    assert PATHS.read(path[:place] + other + path[place + 1 :]) is None


@given(st.text())
def test_whatever_is_no_path_is_refused_quietly(text: str) -> None:
    """Addresses that strangers make up are not ours, whatever they hold."""
    assert PATHS.read(text) is None
    assert PATHS.read(f"b+{text}@bounces.example.com") is None


def test_case_does_not_matter() -> None:
    """A mail server that changes the case of an address changes nothing for us."""
    notification_id = uuid4()
    bounced = PATHS.read(PATHS.of(notification_id, "Ada@Example.com").upper())
    assert bounced is not None
    assert bounced.notification_id == notification_id
    assert bounced.fits("ada@EXAMPLE.com")


def test_it_knows_no_other_address() -> None:
    """A report that speaks of an address which the email did not go to is found out."""
    bounced = PATHS.read(PATHS.of(uuid4(), "ada@example.com"))
    assert bounced is not None
    assert not bounced.fits("grace@example.com")


def test_a_domain_fits_in_either_form() -> None:
    """Reports name an internationalised domain in ASCII; it is the same mailbox."""
    bounced = PATHS.read(PATHS.of(uuid4(), "ada@bücher.example"))
    assert bounced is not None
    assert bounced.fits("ada@xn--bcher-kva.example")


def test_each_email_has_its_own_and_keeps_it() -> None:
    """Every attempt has the same path, every email another, and all fit the limit of a local part."""
    first, second = uuid4(), uuid4()
    assert PATHS.of(first, "ada@example.com") == PATHS.of(first, "ada@example.com")
    assert PATHS.of(first, "ada@example.com") != PATHS.of(second, "ada@example.com")
    assert len(PATHS.of(first, "ada@example.com").partition("@")[0]) <= LOCAL_PART_LIMIT


@pytest.mark.parametrize(
    "stranger",
    [
        ReturnPath("another secret", "bounces.example.com", "hello@example.com"),
        ReturnPath("a secret", "elsewhere.example.com", "hello@example.com"),
    ],
)
def test_another_installations_path_is_not_ours(stranger: ReturnPath) -> None:
    """Neither another secret nor another domain makes a path that we take."""
    assert PATHS.read(stranger.of(uuid4(), "ada@example.com")) is None


def test_without_a_domain_bounces_go_to_the_sender() -> None:
    """Who has set up no domain for bounces sends as before, and takes no bounce."""
    paths = ReturnPath("a secret", None, "hello@example.com")
    assert paths.of(uuid4(), "ada@example.com") == "hello@example.com"
    assert paths.read(PATHS.of(uuid4(), "ada@example.com")) is None
