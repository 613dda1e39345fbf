"""Which preferences make sense, for any preferences."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tidings.contracts.codes import Channel
from tidings.contracts.users import (
    Category,
    NewPreferences,
    Preferences,
    StoredCap,
    StoredChoice,
    StoredQuietHours,
    Weekday,
)
from tidings.users.preferences.rules import faults_of, switched

KNOWN = ("news", "offers.daily", "security")
TIMES = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
CHANNELS = st.sampled_from(Channel)
CHOICES = st.builds(StoredChoice, email=st.none() | st.booleans(), push=st.none() | st.booleans())
CATEGORIES = st.builds(
    Category,
    id=st.sampled_from(KNOWN),
    name=st.just("A category"),
    required=st.booleans(),
    email=st.booleans(),
    push=st.booleans(),
)
PREFERENCES = st.builds(
    Preferences,
    email=st.booleans(),
    push=st.booleans(),
    categories=st.dictionaries(st.sampled_from([*KNOWN, "unknown"]), CHOICES),
    quiet_hours=st.lists(
        st.builds(
            StoredQuietHours,
            days=st.lists(st.sampled_from(Weekday), min_size=1, max_size=7).map(tuple),
            start=TIMES,
            end=TIMES,
            channels=st.lists(CHANNELS, min_size=1).map(tuple),
        ),
        max_size=3,
    ),
    frequency_caps=st.lists(
        st.builds(
            StoredCap,
            most=st.integers(0, 1_000),
            per=st.sampled_from(["hour", "day", "week"]),
            channel=st.none() | CHANNELS,
        ),
        max_size=3,
    ),
)


@given(preferences=PREFERENCES)
def test_preferences_are_written_as_they_are_read(preferences: Preferences) -> None:
    """What goes into the database or over the wire comes back the same, as either type."""
    written = msgspec.json.encode(preferences)
    assert msgspec.json.decode(written, type=Preferences) == preferences
    assert msgspec.json.encode(msgspec.json.decode(written, type=NewPreferences)) == written


@given(held=PREFERENCES, categories=st.lists(CATEGORIES))
def test_a_choice_that_is_held_is_no_fault(held: Preferences, categories: list[Category]) -> None:
    """Whatever became of the categories, preferences may be written back as they are."""
    faults = faults_of(held, held=held, categories={one.id: one for one in categories})
    assert all(fault.field.startswith("$.quiet_hours") for fault in faults)


@given(new=PREFERENCES, categories=st.lists(CATEGORIES, unique_by=lambda one: one.id))
def test_what_is_let_pass_can_be_kept(new: Preferences, categories: list[Category]) -> None:
    """Each new choice is for a category there is, and none switches off what is required."""
    known = {one.id: one for one in categories}
    fields = {fault.field for fault in faults_of(new, held=Preferences(), categories=known)}
    for name, choice in new.categories.items():
        path = f"$.categories['{name}']"
        assert (path in fields) == (name not in known)
        for channel in Channel:
            refused = name in known and known[name].required and getattr(choice, channel) is False
            assert (f"{path}.{channel}" in fields) == refused
    for position, hours in enumerate(new.quiet_hours):
        assert (f"$.quiet_hours[{position}].end" in fields) == (hours.start == hours.end)


@given(preferences=PREFERENCES, category=CATEGORIES, channel=CHANNELS)
def test_what_a_person_gets(preferences: Preferences, category: Category, channel: Channel) -> None:
    """Required beats the channel's switch, which beats the choice, which beats the category's default."""
    choice = getattr(preferences.categories.get(category.id), channel, None)
    by_choice = getattr(category, channel) if choice is None else choice
    expected = category.required or (getattr(preferences, channel) and by_choice)
    assert category.wanted(preferences, channel) is expected


@given(preferences=PREFERENCES, category=CATEGORIES, channel=CHANNELS, wanted=st.booleans())
def test_a_switch_turns_one_thing(
    preferences: Preferences, category: Category, channel: Channel, *, wanted: bool
) -> None:
    """A category's switch decides for that category on that channel, and changes nothing else."""
    after = switched(preferences, category.id, channel, wanted=wanted)
    channel_on = getattr(preferences, channel)
    assert category.wanted(after, channel) is (category.required or (wanted and channel_on))
    for name in (*KNOWN, "unknown"):
        for other in Channel:
            if (name, other) != (category.id, channel):
                ordinary = Category(id=name, name="A category")
                assert ordinary.wanted(after, other) == ordinary.wanted(preferences, other)
    assert switched(after, category.id, channel, wanted=wanted) == after


@given(preferences=PREFERENCES, category=CATEGORIES, channel=CHANNELS)
def test_a_channel_that_is_off_is_off_for_all(
    preferences: Preferences, category: Category, channel: Channel
) -> None:
    """With the channel switched off only what is required comes; the choices are kept for later."""
    off = switched(preferences, None, channel, wanted=False)
    assert category.wanted(off, channel) is category.required
    assert off.categories == preferences.categories
