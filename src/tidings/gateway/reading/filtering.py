"""Which notifications a list is about, and the conditions that select them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from tidings.contracts.codes import Channel, Reason, Status
from tidings.kit.errors import FieldFault, Unprocessable
from tidings.kit.moments import storable_time

CLOCK_SLACK_MS = 5_000
"""By how much the time in an id and `accepted_at`, which is read after it, may differ."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NotificationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What every notification of a list has; None leaves a field open. `until` itself is left out."""

    request_id: str | None = None
    user_id: str | None = None
    status: list[Status] | None = None
    channel: Channel | None = None
    template_id: str | None = None
    reason: Reason | None = None
    since: datetime | None = None
    until: datetime | None = None
    sandbox: bool | None = None
    replay_of: UUID | None = None
    schedule_id: UUID | None = None
    group_id: UUID | None = None


def between(since: datetime | None, until: datetime | None) -> tuple[datetime | None, datetime | None]:
    """Both times in UTC.

    Raises:
        Unprocessable: one has no UTC offset, or no time is between them.
    """
    since = storable_time("since", since) if since else None
    until = storable_time("until", until) if until else None
    if since and until and since >= until:
        words = "`until` has to be later than `since`"
        fault = FieldFault(field="$.until", message=words)
        raise Unprocessable(f"The request does not fit: {words}", code="invalid_request", errors=[fault])
    return since, until


def conditions(
    wanted: NotificationFilter, *, before: UUID | None, only_tests: bool
) -> tuple[str, list[object]]:
    """The conditions that a filter asks for, and their values. `before` is where the page before ended.

    `only_tests`: whatever the filter says, only what was sent with test keys.
    """
    given = {name: getattr(wanted, name) for name in _CONDITIONS if getattr(wanted, name) is not None}
    asked = [(_CONDITIONS[name], value) for name, value in given.items()]
    # Ids begin with the time, so their index finds a time too; `accepted_at` decides to the microsecond.
    if wanted.since is not None:
        asked.append(("id >= {}", _first_id(wanted.since, -CLOCK_SLACK_MS)))
    if wanted.until is not None:
        asked.append(("id < {}", _first_id(wanted.until, CLOCK_SLACK_MS)))
    if before is not None:
        asked.append(("id < {}", before))
    texts = [text.format(f"${number}") for number, (text, _) in enumerate(asked, start=1)]
    texts += [] if wanted.sandbox is None else [_SANDBOX[wanted.sandbox]]
    texts += [_SANDBOX[True]] if only_tests else []
    return " and ".join(["true", *texts]), [value for _, value in asked]


_CONDITIONS = {
    "request_id": "request_id = {}",
    "user_id": "user_id = {}",
    "status": "status = any({}::text[])",
    "channel": "channel = {}",
    "template_id": "template_id = {}",
    "reason": "reason = {}",
    "since": "accepted_at >= {}",
    "until": "accepted_at < {}",
    "replay_of": "replay_of = {}",
    "schedule_id": "schedule_id = {}",
    "group_id": "group_id = {}",
}
# The first in the words of the index `notifications_of_tests`.
_SANDBOX = {
    True: "(message ->> 'sandbox')::boolean",
    False: "not coalesce((message ->> 'sandbox')::boolean, false)",
}


def _first_id(moment: datetime, shift_ms: int) -> UUID:
    """The smallest UUID version 7 of a moment: its milliseconds alone (RFC 9562, section 5.7)."""
    return UUID(int=max(0, (moment - _EPOCH) // timedelta(milliseconds=1) + shift_ms) << 80)
