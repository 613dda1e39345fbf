"""Recurring notifications: schedules by iCalendar rules, and what became of them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta

from tidings.contracts.base import WALL_CLOCK, Incoming, Locale, Outgoing, Slug
from tidings.contracts.codes import Channel, Priority
from tidings.contracts.notifications import Also, EmailOptions, Fallback
from tidings.contracts.users import TimeZone

RecurrenceRule = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1_000,
        description="the value of an RRULE (RFC 5545, section 3.3.10)",
        examples=["FREQ=WEEKLY;BYDAY=MO,TH"],
    ),
]
# U+0000 cannot be stored.
ScheduleName = Annotated[
    str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$", examples=["Weekly report"])
]
StartAtLocal = Annotated[
    datetime,
    Meta(
        tz=False,
        extra_json_schema={
            "description": "the earliest time of the first, on the wall clock, without an offset",
            "examples": ["2027-02-01T09:00:00"],
            "extra": WALL_CLOCK,
        },
    ),
]


class ScheduleStatus(StrEnum):
    """Whether a schedule makes notifications: now, not now, or never again."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class RecurringNotification(Incoming, frozen=True, kw_only=True):
    """What is sent each time: a notification's members, without what one of them has for itself.

    Attachments are given by `url`, and fetched anew each time.
    """

    channel: Channel
    user_id: Annotated[str, Meta(min_length=1, max_length=100)]
    template_id: Slug
    variables: dict[str, Any] = {}
    locale: Locale | None = None
    priority: Priority = Priority.NORMAL
    metadata: dict[str, str] = {}
    email: EmailOptions | None = None
    also: Also | None = None
    fallback: Fallback | None = None


class NewSchedule(Incoming, frozen=True, kw_only=True):
    """A request to notify a person again and again.

    The clock is that of `time_zone`, or without one the recipient's, wherever they live at the time.
    """

    name: ScheduleName | None = None
    rrule: RecurrenceRule
    start_at_local: StartAtLocal
    time_zone: TimeZone | None = None
    notification: RecurringNotification


class ScheduleProblem(Outgoing, frozen=True, kw_only=True):
    """Why an occurrence became no notification: what `POST /v1/notifications` would have answered."""

    at: datetime
    code: str
    detail: str


class Schedule(Outgoing, frozen=True, kw_only=True):
    """A schedule. `next_at` has the next moments: one in lists, up to five where one schedule is read.

    `made` counts the occurrences that were sent, each on all its channels, and `skipped` those that were
    not: because they were refused, or because no gateway ran until it was too late. `last_problem` says why
    the last one was refused. `paused_because` is for people.
    """

    id: UUID
    name: str | None = None
    rrule: str
    start_at_local: StartAtLocal
    time_zone: str | None = None
    notification: RecurringNotification
    status: ScheduleStatus
    paused_because: str | None = None
    next_at: list[datetime] = []
    made: int = 0
    skipped: int = 0
    last_problem: ScheduleProblem | None = None
    sandbox: bool = False
    created_at: datetime
    updated_at: datetime


class Schedules(Outgoing, frozen=True, kw_only=True):
    """A page of schedules, newest first. While there is a `next_cursor`, ask again with it."""

    schedules: list[Schedule]
    next_cursor: str | None = None
