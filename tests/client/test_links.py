"""The links that a message carries for its recipient."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.client.links import (
    PREFERENCES,
    UNSUBSCRIBE,
    RecipientLink,
    preferences_path,
    read_link,
    unsubscribe_path,
)
from tidings.kit.signed_links import InvalidLink, sign

SECRET = "a secret that is long enough for tests"
SLUGS = st.none() | st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,99}", fullmatch=True)


def token_of(path: str) -> str:
    return path.rsplit("/", 1)[-1]


@given(user_id=st.uuids(), category=SLUGS)
def test_a_link_says_who_and_what(user_id: UUID, category: str | None) -> None:
    """The token of an unsubscribe link holds the user and the category, in fewer than 200 characters."""
    path = unsubscribe_path(SECRET, user_id, category)
    assert path.startswith("/unsubscribe/")
    assert len(token_of(path)) < 200
    assert read_link([SECRET], UNSUBSCRIBE, token_of(path)) == RecipientLink(user_id, category)


@given(user_id=st.uuids())
def test_a_preference_link_says_who(user_id: UUID) -> None:
    """The link to the preference centre holds the user; it does not unsubscribe."""
    path = preferences_path(SECRET, user_id)
    assert path.startswith("/preferences/")
    assert read_link([SECRET], PREFERENCES, token_of(path)) == RecipientLink(user_id)
    with pytest.raises(InvalidLink):
        read_link([SECRET], UNSUBSCRIBE, token_of(path))


@pytest.mark.parametrize("claims", [{}, {"u": ""}, {"u": "A"}, {"u": "A" * 40}])
def test_a_link_without_a_user_is_refused(claims: dict[str, str]) -> None:
    """Even under our own signature, a link that names no user is no link."""
    with pytest.raises(InvalidLink):
        read_link([SECRET], UNSUBSCRIBE, sign(SECRET, UNSUBSCRIBE, claims))
