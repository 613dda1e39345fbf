"""How the switches of a preference centre stand, and what it means when they come back."""

from collections.abc import Iterable

import msgspec
from litestar.datastructures import FormMultiDict

from tidings.contracts.codes import Channel
from tidings.contracts.users import Category, Preferences
from tidings.users.preferences.rules import switched


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """A preference centre as it was sent: which switches were on, and which categories it showed.

    A category added since the page was opened was not shown, so that it is not on says nothing.
    """

    channels: frozenset[str]
    shown: frozenset[str]
    on: frozenset[str]


def submitted(form: FormMultiDict) -> Submitted:
    """A form as `preferences.html` has it; what else is in it is passed over."""
    channels, shown, on = (
        frozenset(value for value in form.getall(name, []) if isinstance(value, str))
        for name in ("channel", "shown", "on")
    )
    return Submitted(channels=channels, shown=shown, on=on)


def is_on(preferences: Preferences, category: Category, channel: Channel) -> bool:
    """How a category's own switch stands, whether or not the whole channel is switched off beside it."""
    return category.wanted(msgspec.structs.replace(preferences, email=True, push=True), channel)


def as_submitted(
    preferences: Preferences, categories: Iterable[Category], submitted: Submitted
) -> Preferences:
    """The preferences after a recipient saved them.

    Only a switch that was turned becomes a choice; the others go on following the defaults.
    """
    for channel in Channel:
        preferences = switched(preferences, None, channel, wanted=channel in submitted.channels)
        for category in categories:
            wanted = switch_id(category, channel) in submitted.on
            if _could_turn(category, submitted) and wanted != is_on(preferences, category, channel):
                preferences = switched(preferences, category.id, channel, wanted=wanted)
    return preferences


def switch_id(category: Category, channel: Channel) -> str:
    """What a switch is called in the form. The id of a category has no slash."""
    return f"{category.id}/{channel}"


def _could_turn(category: Category, submitted: Submitted) -> bool:
    return category.id in submitted.shown and not category.required
