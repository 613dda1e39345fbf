"""What the shape of a request cannot say: whether an address, a language and a time zone are any."""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from babel import Locale, UnknownLocaleError

from tidings.contracts.users import NewUser, UserPatch
from tidings.kit.addresses import normal_email
from tidings.kit.errors import FieldFault, Unprocessable
from tidings.users.people.store import unknown_user

Person = TypeVar("Person", bound=NewUser | UserPatch)
Fields = TypeVar("Fields", bound=msgspec.Struct)

NO_NUL = "The character U+0000 cannot be stored"


def checked_user(person: Person) -> Person:
    """The same person, or changes to one, with address and locale in their normal form.

    Raises:
        Unprocessable: names each field that does not hold what it should.
    """
    fitted, faults = fit_user(person)
    refuse(faults)
    return fitted


def fit_user(person: Person) -> tuple[Person, list[FieldFault]]:
    """A person with address and locale in their normal form, and what is wrong with the fields."""
    normalised, faults = fit(
        person, {"email": normal_email, "locale": normal_locale, "time_zone": known_time_zone}
    )
    return normalised, [*unstorable(person), *faults]


def fit(struct: Fields, forms: dict[str, Callable[[str], str]]) -> tuple[Fields, list[FieldFault]]:
    """A struct with the normal form of each of the fields named, and of which there is none.

    A form raises ValueError with words for the caller.
    """
    changes: dict[str, str] = {}
    faults: list[FieldFault] = []
    for name, form in forms.items():
        value = getattr(struct, name)
        if isinstance(value, str):
            try:
                changes[name] = form(value)
            except ValueError as error:
                faults.append(FieldFault(field=f"$.{name}", message=str(error)))
    return msgspec.structs.replace(struct, **changes), faults


@lru_cache(1_024)
def normal_locale(tag: str) -> str:
    """The BCP 47 tag in the case it is usually written in (RFC 5646, section 2.1.1).

    Raises:
        ValueError: the Unicode CLDR does not know the language, or the tag is malformed.
    """
    try:
        Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError) as error:
        raise ValueError(f"{tag!r} is no locale that is known; an example is 'pt-BR'") from error
    language, *subtags = tag.split("-")
    return "-".join([language.lower(), *map(_usual_case, subtags)])


@lru_cache(1_024)
def known_time_zone(name: str) -> str:
    """The same name.

    Raises:
        ValueError: the IANA time zone database does not have it.
    """
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:  # OSError: "Europe" alone is a folder
        words = f"{name!r} is not in the IANA time zone database; an example is 'Europe/Lisbon'"
        raise ValueError(words) from error
    return name


def user_id_of(text: str) -> UUID:
    """The id in a path.

    Raises:
        NotFound: it is none, so no user has it.
    """
    parsed = uuid_of(text)
    if parsed is None:
        raise unknown_user(text)
    return parsed


def uuid_of(text: str) -> UUID | None:
    """The UUID that `text` is, in any of its forms."""
    try:
        return UUID(text)
    except ValueError:
        return None


def refuse(faults: list[FieldFault]) -> None:
    """Refuse the request when there are faults.

    Raises:
        Unprocessable: names each of them.
    """
    if faults:
        raise unfit(faults)


def unfit(faults: list[FieldFault]) -> Unprocessable:
    """The error for a request with faults."""
    named = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
    return Unprocessable(f"The request does not fit: {named}", code="invalid_request", errors=faults)


def unstorable(struct: msgspec.Struct) -> list[FieldFault]:
    """The fields that hold U+0000, however deep: PostgreSQL has no such character."""
    fields = msgspec.structs.asdict(struct).items()
    return [FieldFault(field=f"$.{name}", message=NO_NUL) for name, value in fields if _holds_nul(value)]


def _holds_nul(value: object) -> bool:
    # Not recursive: attributes may be nested almost as deep as Python's own stack.
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str(text) if "\0" in text:
                return True
            case msgspec.Struct() as struct:
                waiting += msgspec.structs.astuple(struct)
            case dict(members):
                waiting += [*members, *members.values()]
            case list(items) | tuple(items):
                waiting += items
    return False


def _usual_case(subtag: str) -> str:
    if len(subtag) == 2:  # noqa: PLR2004 - a region
        return subtag.upper()
    return subtag.title() if len(subtag) == 4 and subtag.isalpha() else subtag.lower()  # noqa: PLR2004 - a script
