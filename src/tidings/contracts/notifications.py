"""What the gateway takes and answers: requests to notify, and what became of them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta

from tidings.contracts.base import Incoming, Locale, Outgoing, Slug
from tidings.contracts.codes import Channel, Priority, Reason, Status


class NewNotification(Incoming, frozen=True, kw_only=True):
    """A request to notify one person on one channel.

    `request_id`, or an `Idempotency-Key` header, makes the request safe to repeat for 24 hours.
    """

    request_id: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    channel: Channel
    user_id: Annotated[str, Meta(min_length=1, max_length=100)]
    template_id: Slug
    variables: dict[str, Any] = {}
    locale: Locale | None = None
    priority: Priority = Priority.NORMAL
    expires_at: datetime | None = None
    metadata: dict[str, str] = {}


class Accepted(Outgoing, frozen=True, kw_only=True):
    """The answer to a request that was taken: it is committed and will not be lost."""

    id: UUID
    request_id: str
    status: Status
    accepted_at: datetime


class TimelineEvent(Outgoing, frozen=True, kw_only=True):
    """One step in a notification's life."""

    status: Status
    at: datetime
    attempt: int = 0
    reason: Reason | None = None
    detail: str | None = None
    provider: str | None = None
    provider_ref: str | None = None
    next_attempt_at: datetime | None = None


class Notification(Outgoing, frozen=True, kw_only=True):
    """A notification's present state; `timeline` is there when one notification is read."""

    id: UUID
    request_id: str
    channel: Channel
    user_id: str
    template_id: str
    template_version: int | None = None
    priority: Priority
    locale: str | None = None
    metadata: dict[str, str] = {}
    status: Status
    settled: bool
    reason: Reason | None = None
    accepted_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None
    timeline: list[TimelineEvent] = []


class Notifications(Outgoing, frozen=True, kw_only=True):
    """A page of notifications, newest first. While there is a `next_cursor`, ask again with it."""

    notifications: list[Notification]
    next_cursor: str | None = None
