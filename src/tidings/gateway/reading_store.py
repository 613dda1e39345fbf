"""Reading notifications and their timelines from PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.notifications import Notification, TimelineEvent
from tidings.gateway.reading.filtering import NotificationFilter, conditions
from tidings.kit.database import Database

PROVIDERS_CLOCK = timedelta(seconds=1)
"""Many providers tell the time in whole seconds, so a receipt may seem that much older than its send."""

_RECEIPTS = (Status.SENT, Status.DELIVERED, Status.BOUNCED)


class ReadingStore:
    """Notifications, to read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def notification(self, notification_id: UUID) -> Notification | None:
        """A notification with its timeline, both as of one moment."""
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            row = await connection.fetchrow(_READ + " where id = $1", notification_id)
            if row is None:
                return None
            events = await connection.fetch(_READ_EVENTS, notification_id)
        return _notification(row, _timeline(row, events))

    async def page(
        self, wanted: NotificationFilter, *, before: UUID | None, limit: int, only_tests: bool
    ) -> list[Notification]:
        """The notifications of a filter, newest first, without timelines.

        `only_tests`: those sent with test keys.
        """
        where, values = conditions(wanted, before=before, only_tests=only_tests)
        statement = f"{_READ} where {where} order by id desc limit {limit:d}"
        async with (
            self._database.connection() as connection,
            connection.transaction(readonly=True),
        ):
            # What is rare and what is common need different indexes; a plan that is kept knows neither.
            await connection.execute("set local plan_cache_mode = force_custom_plan")
            rows = await connection.fetch(statement, *values)
        return [_notification(row, []) for row in rows]


def _notification(row: asyncpg.Record, timeline: list[TimelineEvent]) -> Notification:
    message = msgspec.convert(row["message"], DeliveryMessage)
    status = Status(row["status"])
    return Notification(
        id=row["id"],
        request_id=row["request_id"],
        channel=message.channel,
        user_id=message.user_id,
        template_id=message.template_id,
        template_version=message.template_version,
        priority=message.priority,
        locale=message.locale,
        metadata=message.metadata,
        status=status,
        settled=status.settled,
        reason=Reason(row["reason"]) if row["reason"] else None,
        accepted_at=row["accepted_at"],
        updated_at=row["updated_at"],
        expires_at=message.expires_at,
        sandbox=message.sandbox,
        replay_of=row["replay_of"],
        send_at=row["send_at"],
        schedule_id=row["schedule_id"],
        group_id=row["group_id"],
        fallback_of=row["fallback_of"],
        fallback_id=row["fallback_id"],
        redacted_at=row["redacted_at"],
        timeline=timeline,
    )


def _timeline(row: asyncpg.Record, events: Sequence[asyncpg.Record]) -> list[TimelineEvent]:
    steps = [TimelineEvent(status=Status.ACCEPTED, at=row["accepted_at"])]
    if row["send_at"] is not None:
        steps.append(_scheduled(row["accepted_at"], row["send_at"]))
    if row["queued_at"] is not None:
        steps.append(TimelineEvent(status=Status.QUEUED, at=row["queued_at"]))
    steps += [msgspec.convert(dict(event), TimelineEvent) for event in events]
    tries = [step for step in steps if step.attempt]
    return sorted(steps, key=lambda step: _place(step, tries))


def _scheduled(accepted_at: datetime, send_at: datetime) -> TimelineEvent:
    """The step that comes with the acceptance of what is to be sent later."""
    return TimelineEvent(status=Status.SCHEDULED, at=accepted_at, next_attempt_at=send_at)


def _place(step: TimelineEvent, tries: Sequence[TimelineEvent]) -> tuple[Any, ...]:
    """Attempts come in turn, as workers' clocks may differ; what has none after the attempt it followed."""
    if step.status is Status.CANCELLED:
        return (max((one.attempt for one in tries if one.at < step.at), default=0), True, step.at)
    if step.attempt or step.status not in _RECEIPTS:
        return (step.attempt, False, step.at)
    attempts = [one.attempt for one in tries if one.at < step.at + PROVIDERS_CLOCK]
    followed = max(attempts, default=min((one.attempt for one in tries), default=0))
    return (followed, True, step.at, _RECEIPTS.index(step.status), step.reason is not None)


_READ = """
select id, request_id, status, reason, message, accepted_at, queued_at, updated_at, replay_of,
    send_at, schedule_id, group_id, fallback_of, fallback_id, redacted_at
from notifications
"""
_READ_EVENTS = """
select attempt, status, at, reason, detail, provider, provider_ref, next_attempt_at, target
from events where notification_id = $1
"""
