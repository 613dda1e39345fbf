"""Which preferences make sense, and how one switch is turned."""

from collections.abc import Iterator, Mapping

from msgspec import structs

from tidings.contracts.codes import Channel
from tidings.contracts.users import Category, NewPreferences, Preferences, StoredChoice
from tidings.kit.errors import FieldFault

NAMED_CATEGORIES = 20
"""How many of the known categories an error lists."""


def faults_of(
    new: NewPreferences, *, held: NewPreferences, categories: Mapping[str, Category]
) -> list[FieldFault]:
    """What is wrong with preferences that are to replace those `held`.

    A choice that was made before is no fault, though its category is gone or became required since:
    who reads preferences may write them back, and an opt-out outlives a category that is deleted and
    made again.
    """
    return [*_category_faults(new, held, categories), *_quiet_hours_faults(new)]


def switched(
    preferences: Preferences, category: str | None, channel: Channel, *, wanted: bool
) -> Preferences:
    """The same preferences with a category switched on one channel, or without one the whole channel."""
    if category is None:
        return structs.replace(preferences, **{channel: wanted})
    choice = preferences.categories.get(category, StoredChoice())
    turned = structs.replace(choice, **{channel: wanted})
    return structs.replace(preferences, categories={**preferences.categories, category: turned})


def _category_faults(
    new: NewPreferences, held: NewPreferences, categories: Mapping[str, Category]
) -> Iterator[FieldFault]:
    for category_id, choice in new.categories.items():
        before = held.categories.get(category_id)
        if before is not None and structs.asdict(choice) == structs.asdict(before):
            continue
        field = f"$.categories['{category_id}']"
        category = categories.get(category_id)
        if category is None:
            words = f"There is no such category; there is {_listed(categories)}"
            yield FieldFault(field=field, message=words)
        elif category.required:
            for channel in Channel:
                if getattr(choice, channel) is False:
                    words = f"{category.name} ({category_id}) is required and cannot be switched off"
                    yield FieldFault(field=f"{field}.{channel}", message=words)


def _quiet_hours_faults(new: NewPreferences) -> Iterator[FieldFault]:
    for position, hours in enumerate(new.quiet_hours):
        if hours.start == hours.end:
            words = "Quiet hours end at another time than they start; to get nothing, switch the channel off"
            yield FieldFault(field=f"$.quiet_hours[{position}].end", message=words)


def _listed(categories: Mapping[str, Category]) -> str:
    if not categories:
        return "none yet"
    ids = sorted(categories)
    more = len(ids) - NAMED_CATEGORIES
    return ", ".join(ids[:NAMED_CATEGORIES]) + (f" and {more} more (GET /categories)" if more > 0 else "")
