"""What the shape of a request cannot say: whether an address and a time zone exist as such."""

from zoneinfo import ZoneInfo

import msgspec
from email_validator import EmailNotValidError, validate_email

from tidings.contracts.http import NewPushToken, NewUser
from tidings.kit.errors import FieldFault, Unprocessable


def checked_user(new: NewUser) -> NewUser:
    """The same user with its email address normalised (domain in lower case, Unicode NFC).

    Raises:
        Unprocessable: names each field that does not hold what it should.
    """
    faults = _unstorable(new)
    email = new.email
    if email is not None:
        try:
            email = validate_email(email, check_deliverability=False).normalized
        except EmailNotValidError as error:
            faults.append(FieldFault(field="$.email", message=str(error)))
    if new.time_zone is not None and not _is_time_zone(new.time_zone):
        words = f"{new.time_zone!r} is not in the IANA time zone database; an example is 'Europe/Lisbon'"
        faults.append(FieldFault(field="$.time_zone", message=words))
    _refuse(faults)
    return msgspec.structs.replace(new, email=email)


def checked_token(new: NewPushToken) -> NewPushToken:
    """The same token.

    Raises:
        Unprocessable: it holds what cannot be stored.
    """
    _refuse(_unstorable(new))
    return new


def _refuse(faults: list[FieldFault]) -> None:
    if faults:
        named = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
        raise Unprocessable(f"The request does not fit: {named}", code="invalid_request", errors=faults)


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # OSError: "Europe" alone is a folder
        return False
    return True


def _unstorable(struct: msgspec.Struct) -> list[FieldFault]:
    fields = msgspec.structs.asdict(struct).items()
    words = "The character U+0000 cannot be stored"
    return [FieldFault(field=f"$.{name}", message=words) for name, value in fields if _holds_nul(value)]


def _holds_nul(value: object) -> bool:
    # Not recursive: attributes may be nested almost as deep as Python's own stack.
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str(text) if "\0" in text:
                return True
            case dict(members):
                waiting += [*members, *members.values()]
            case list(items):
                waiting += items
    return False
