"""What travels through the broker: JSON with a `schema` version, so that old and new processes can meet."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

import msgspec

from tidings.contracts.codes import Channel, Priority, Reason, Status


class Attachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file that goes with an email: kept by the gateway under `id`, or fetched from `url`.

    With a `content_id` the html may show it as `cid:...` (RFC 2392). `size` counts bytes, where known.
    """

    filename: str
    content_type: str
    id: UUID | None = None
    url: str | None = None
    content_id: str | None = None
    size: int | None = None


class EmailParts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one email has beside its template's words."""

    reply_to: str | None = None
    cc: list[str] = []
    bcc: list[str] = []
    headers: dict[str, str] = {}
    attachments: list[Attachment] = []


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
    email: EmailParts | None = None
    sandbox: bool = False
    """Sent with a test key: it never reaches a real provider."""


class Decision(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One thing that a worker decided about a notification, in the order in which it did."""

    step: str
    verdict: str
    detail: str | None = None


class StatusEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step in a notification's life, as the process that saw it reports it.

    `(notification_id, attempt, status, reason, target)` identifies an event: reporting it twice changes
    nothing. `target` says which of several devices it speaks of. `detail` holds the provider's own
    words, at most 1,000 characters. `trace` is how the worker came to it.
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
    target: str | None = None
    trace: list[Decision] = []


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """Several status events in one broker message."""

    schema: Literal[1] = 1
    events: list[StatusEvent]


class ReceiptKind(StrEnum):
    """What a provider or a mail server says about an email after it was taken."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    SOFT_BOUNCE = "soft_bounce"
    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One verified word about one email. `event_id` is unique at its provider: a repeated one is dropped.

    `address` is what the email was sent to, where the receipt is sure of it. `copy`: it speaks of one who
    got the email in copy, so it says nothing about the notification.
    """

    event_id: str
    kind: ReceiptKind
    notification_id: UUID
    at: datetime
    provider: str
    provider_ref: str | None = None
    address: str | None = None
    copy: bool = False
    detail: str | None = None


class ReceiptReport(msgspec.Struct, frozen=True, kw_only=True):
    """Several receipts in one broker message."""

    schema: Literal[1] = 1
    receipts: list[Receipt]


class PushTicket(msgspec.Struct, frozen=True, kw_only=True):
    """A push that a provider took, and whose receipt tells later what became of it.

    `device_id` is that of the device's registration.
    """

    id: str
    provider: str
    device_id: UUID
    at: datetime


class TakenPush(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The pushes of one notification whose receipts are not known yet.

    `devices` counts all that have it or may still get it, those of other providers too, and `bounced` those
    of them whose receipt said no.
    """

    notification_id: UUID
    user_id: UUID
    tickets: list[PushTicket]
    devices: int
    bounced: int = 0


class TicketReport(msgspec.Struct, frozen=True, kw_only=True):
    """Tickets in one broker message: no receipt is asked for before `ask_at`."""

    schema: Literal[1] = 1
    ask_at: datetime
    pushes: list[TakenPush]


class CallbackOrder(msgspec.Struct, frozen=True, kw_only=True):
    """That an event is to be posted to an endpoint now. The gateway's table has both."""

    schema: Literal[1] = 1
    delivery_id: UUID
    attempt: int
