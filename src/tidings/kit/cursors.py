"""Where a page of a list ends, for lists in the order of their ids."""

from uuid import UUID

from tidings.kit.errors import Malformed


def position_of(cursor: str | None) -> UUID | None:
    """The id with which the page before ended; None for the first page.

    Raises:
        Malformed: no page gave this cursor.
    """
    try:
        return UUID(cursor) if cursor is not None else None
    except ValueError as error:
        raise Malformed("This cursor is not one we gave; start without it", code="bad_cursor") from error
