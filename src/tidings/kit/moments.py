"""Moments that come from outside, and those that are told to people."""

from datetime import UTC, datetime

from tidings.kit.errors import FieldFault, Unprocessable


def storable_time(name: str, moment: datetime) -> datetime:
    """The same moment in UTC. `name` is that of the field or parameter.

    Raises:
        Unprocessable: it has no UTC offset, or PostgreSQL has no such time.
    """
    if moment.tzinfo is None:
        words = "Give a UTC offset, such as 2026-01-31T12:00:00Z"
        raise Unprocessable(words, code="naive_time", errors=[FieldFault(field=f"$.{name}", message=words)])
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        words = "This moment is outside of the years 1 to 9999 in UTC"
        raise Unprocessable(
            words, code="invalid_request", errors=[FieldFault(field=f"$.{name}", message=words)]
        ) from None


def written(moment: datetime) -> str:
    """A moment within words, as the API writes moments: in UTC, to the second, as `2026-01-31T12:00:00Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"
