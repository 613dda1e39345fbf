"""The link by which a browser tells what became of a push."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.client.links import (
    ENGAGEMENT,
    ENGAGEMENT_LIFETIME,
    PREFERENCES,
    EngagementLink,
    ExpiredLink,
    engagement_path,
    read_engagement,
    read_link,
)
from tidings.kit.ids import now
from tidings.kit.signed_links import InvalidLink, sign

SECRET = "a secret that is long enough for tests"
ID = "A" * 22


def token_of(path: str) -> str:
    return path.rsplit("/", 1)[-1]


@given(notification_id=st.uuids(), device_id=st.uuids())
def test_a_link_says_which_push_on_which_device(notification_id: UUID, device_id: UUID) -> None:
    """The path is shorter than 120 characters, since it takes room in every push."""
    path = engagement_path(SECRET, notification_id, device_id, at=now())
    assert path.startswith("/e/")
    assert len(path) < 120
    assert read_engagement([SECRET], token_of(path)) == EngagementLink(notification_id, device_id)
    with pytest.raises(InvalidLink):
        read_link([SECRET], PREFERENCES, token_of(path))


def test_a_link_expires() -> None:
    """It is good for thirty days, and not longer."""
    for age, expired in ((ENGAGEMENT_LIFETIME - timedelta(hours=1), False), (ENGAGEMENT_LIFETIME, True)):
        token = token_of(engagement_path(SECRET, UUID(int=1), UUID(int=2), at=now() - age))
        if expired:
            with pytest.raises(ExpiredLink, match="30 days"):
                read_engagement([SECRET], token)
        else:
            read_engagement([SECRET], token)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"n": ID, "d": ID},
        {"n": ID, "x": "4000000000"},
        {"n": "", "d": ID, "x": "4000000000"},
        {"n": ID, "d": ID, "x": "soon"},
    ],
)
def test_a_link_that_names_no_push_is_refused(claims: dict[str, str]) -> None:
    """Even under our own signature."""
    with pytest.raises(InvalidLink, match="names no push"):
        read_engagement([SECRET], sign(SECRET, ENGAGEMENT, claims))
