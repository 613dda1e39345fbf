"""What travels through the broker: JSON with a `schema` version, so that old and new processes can meet."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from tidings.contracts.codes import Channel, Priority, Reason, Status


class DeliveryMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One notification on its way to a channel worker. The broker's message id is `notification_id`."""

    schema: Literal[1] = 1
    notification_id: UUID
    request_id: str
    channel: Channel
    user_id: str
    template_id: str
    template_version: int | None = None
    variables: dict[str, Any] = {}
    locale: str | None = None
    priority: Priority = Priority.NORMAL
    metadata: dict[str, str] = {}
    accepted_at: datetime
    expires_at: datetime | None = None


class StatusEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step in a notification's life, as the process that saw it reports it.

    `(notification_id, attempt, status)` identifies an event: reporting it twice changes nothing.
    `detail` holds the provider's own words, at most 1,000 characters.
    """

    notification_id: UUID
    status: Status
    at: datetime
    attempt: int = 0
    reason: Reason | None = None
    detail: str | None = None
    provider: str | None = None
    provider_ref: str | None = None
    next_attempt_at: datetime | None = None


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """Several status events in one broker message."""

    schema: Literal[1] = 1
    events: list[StatusEvent]
