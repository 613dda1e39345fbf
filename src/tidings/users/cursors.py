"""Where a page of people ends, as the text that a caller sends back for the next."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from tidings.contracts.users import User
from tidings.kit.errors import Malformed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cursor_after(last: User) -> str:
    """The cursor of a page that ends with this person."""
    return f"{(last.created_at - _EPOCH) // timedelta(microseconds=1)}-{last.id}"


def position_of(cursor: str) -> tuple[datetime, UUID]:
    """The `created_at` and id of the person with whom the page before ended.

    Raises:
        Malformed: no page gave this cursor.
    """
    microseconds, _, user_id = cursor.partition("-")
    try:
        return _EPOCH + timedelta(microseconds=int(microseconds)), UUID(user_id)
    except (ValueError, OverflowError) as error:
        raise Malformed("This cursor is not one we gave; start without it", code="bad_cursor") from error
