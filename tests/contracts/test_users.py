"""What the user service says, read by processes that are older than it."""

import msgspec
import pytest

from tidings.contracts.users import Contacts, NewPreferences, Preferences

NEWER = {
    "email": False,
    "categories": {"news": {"email": True, "sms": False}},
    "quiet_hours": [{"start": "22:00", "end": "07:00", "holidays": True}],
    "frequency_caps": [{"most": 3, "per": "day", "burst": 1}],
    "digest": "weekly",
}


def test_readers_ignore_what_a_newer_service_adds() -> None:
    """Wherever a newer user service adds a field, an older worker reads the contact without it."""
    contact = {"user_id": "01a2027c-27dd-77b2-8bad-1094365ff79e", "preferences": NEWER, "nickname": "A"}
    body = msgspec.json.encode({"contacts": {"a": contact}, "next": 1})
    (found,) = msgspec.json.decode(body, type=Contacts).contacts.values()
    assert found.preferences.categories["news"].email
    assert found.preferences.quiet_hours[0].start == "22:00"


def test_callers_are_told_of_fields_that_do_not_exist() -> None:
    """What a caller misspells inside its wishes is refused, not ignored."""
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"categories": NEWER["categories"]}, NewPreferences)
    assert msgspec.convert({"categories": NEWER["categories"]}, Preferences).email
