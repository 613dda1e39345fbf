"""When a notification is to be sent: at once, at a moment, or by the recipient's clock."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, tzinfo

from tidings.contracts.notifications import NewNotification
from tidings.kit.errors import FieldFault, Unprocessable
from tidings.kit.ids import now
from tidings.kit.moments import written
from tidings.kit.wall_clock import moment_of

LONGEST_AHEAD = timedelta(days=366)
ANY_ZONE = timedelta(days=2)
"""More than clocks on the wall differ from UTC, on either side."""


async def sending_time(
    request: NewNotification, zone_of: Callable[[str], Awaitable[tzinfo]]
) -> datetime | None:
    """When to send it, in UTC; None is at once, as it is when the moment has passed.

    `zone_of` says in which time zone a person lives.

    Raises:
        Unprocessable: no moment, two of them, or one that is too far ahead or after `expires_at`.
        Unavailable: whoever knows the recipient's time zone does not answer.
    """
    if request.send_at is not None and request.send_at_local is not None:
        words = "Give `send_at` or `send_at_local`, one of the two"
        raise _unfit("invalid_request", "$.send_at_local", words)
    field = "$.send_at" if request.send_at_local is None else "$.send_at_local"
    moment = await _moment(request, zone_of)
    if moment is None or moment <= now():
        return None
    if moment > now() + LONGEST_AHEAD:
        raise too_far_ahead(field)
    if request.expires_at is not None and request.expires_at <= moment:
        words = f"It would expire before it is sent, at {written(moment)}"
        raise _unfit("expires_before_sending", "$.expires_at", words)
    return moment.astimezone(UTC)


def too_far_ahead(field: str) -> Unprocessable:
    """The error for a moment more than 366 days ahead."""
    return _unfit("too_far_ahead", field, f"This is more than {LONGEST_AHEAD.days} days ahead")


async def _moment(request: NewNotification, zone_of: Callable[[str], Awaitable[tzinfo]]) -> datetime | None:
    if request.send_at is not None and request.send_at.tzinfo is None:
        words = "Give a UTC offset, such as 2026-01-31T12:00:00Z, or say `send_at_local`"
        raise _unfit("naive_time", "$.send_at", words)
    wall = request.send_at_local
    if wall is None:
        return request.send_at
    # Nobody need be asked about what is past or too far everywhere, and the calendar ends somewhere.
    if wall < now().replace(tzinfo=None) - ANY_ZONE:
        return None
    if wall > now().replace(tzinfo=None) + LONGEST_AHEAD + ANY_ZONE:
        raise too_far_ahead("$.send_at_local")
    return moment_of(wall, await zone_of(request.user_id))


def _unfit(code: str, field: str, words: str) -> Unprocessable:
    return Unprocessable(words, code=code, errors=[FieldFault(field=field, message=words)])
