"""Callbacks: what is posted to the endpoints of callers, and how these are kept."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType, field

from tidings.contracts.base import Incoming, Outgoing
from tidings.contracts.codes import Channel, Reason, Status


class EventType(StrEnum):
    """What a callback can be about: a state that a notification reached, a remark on it, the endpoint."""

    SENT = "notification.sent"
    DELIVERED = "notification.delivered"
    BOUNCED = "notification.bounced"
    FAILED = "notification.failed"
    SUPPRESSED = "notification.suppressed"
    EXPIRED = "notification.expired"
    CANCELLED = "notification.cancelled"
    DEAD_LETTERED = "notification.dead_lettered"
    DEFERRED = "notification.deferred"
    COMPLAINED = "notification.complained"
    DISPLAYED = "notification.displayed"
    CLICKED = "notification.clicked"
    ENDPOINT_SUSPENDED = "callback_endpoint.suspended"
    ENDPOINT_DISABLED = "callback_endpoint.disabled"
    TEST = "callback_endpoint.test"
    EVERY = "*"
    """No event: what an endpoint chooses that wants them all."""


class EndpointStatus(StrEnum):
    """Whether an endpoint gets callbacks. What happens meanwhile is kept as `missed` if it does not."""

    ACTIVE = "active"
    DISABLED = "disabled"
    """By its owner, or because it answered 410 Gone."""
    SUSPENDED = "suspended"
    """Because it failed for days."""


class DeliveryStatus(StrEnum):
    """What became of one event at one endpoint."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Every attempt failed."""
    MISSED = "missed"
    """The endpoint was disabled or suspended when it happened."""


# Python's `$` lets a line end pass, hence the look-ahead.
CallbackUrl = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s\x00-\x1f\x7f]+(?!\n)$",
        max_length=2_000,
        description="https, on the public Internet; other hosts need `TIDINGS_CALLBACK_HOSTS`",
        examples=["https://shop.example.com/tidings"],
    ),
]
Events = Annotated[list[EventType], Meta(min_length=1, max_length=50, description="`*` is every event")]
Channels = Annotated[list[Channel], Meta(max_length=10, description="none means all")]
Description = Annotated[str, Meta(pattern=r"^[^\x00]*$", max_length=500, examples=["The shop's orders"])]


class NewCallbackEndpoint(Incoming, frozen=True, kw_only=True):
    """Where events of the caller's notifications are to be posted, and which."""

    url: CallbackUrl
    events: Events = field(default_factory=lambda: [EventType.EVERY])
    channels: Channels = []
    description: Description | None = None
    enabled: bool = True


class CallbackEndpointPatch(Incoming, frozen=True, kw_only=True):
    """Changes to an endpoint (RFC 7396): what is left out stays. `enabled` true also ends a suspension."""

    url: CallbackUrl | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    channels: Channels | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class CallbackEndpoint(Outgoing, frozen=True, kw_only=True):
    """An endpoint without its secret.

    `failures` counts attempts in a row that failed, the first of them at `failing_since`.
    """

    id: UUID
    url: str
    events: list[str]
    channels: list[Channel]
    description: str | None = None
    status: EndpointStatus
    status_because: str | None = None
    failures: int
    failing_since: datetime | None = None
    old_secret_until: datetime | None = None
    created_at: datetime
    updated_at: datetime


class CallbackEndpointWithSecret(CallbackEndpoint, frozen=True, kw_only=True):
    """An endpoint with the secret that signs what it gets, which is not shown again."""

    secret: Annotated[str, Meta(description="`whsec_` and base64 of 32 bytes")]


class CallbackEndpoints(Outgoing, frozen=True, kw_only=True):
    """A page of endpoints, newest first. While there is a `next_cursor`, ask again with it."""

    endpoints: list[CallbackEndpoint]
    next_cursor: str | None = None


class CallbackAttempt(Outgoing, frozen=True, kw_only=True):
    """One POST: what the endpoint answered, in at most 500 characters, or why there was no answer."""

    at: datetime
    milliseconds: int
    status_code: int | None = None
    answer: str | None = None
    error: str | None = None


class CallbackDelivery(Outgoing, frozen=True, kw_only=True):
    """One event at one endpoint, with its last 20 attempts. `event_id` was sent as `webhook-id`."""

    id: UUID
    event_id: UUID
    type: EventType
    notification_id: UUID | None = None
    status: DeliveryStatus
    created_at: datetime
    next_attempt_at: datetime | None = None
    attempts: list[CallbackAttempt] = []


class CallbackDeliveries(Outgoing, frozen=True, kw_only=True):
    """A page of deliveries, newest first. While there is a `next_cursor`, ask again with it."""

    deliveries: list[CallbackDelivery]
    next_cursor: str | None = None


class CallbackTest(Outgoing, frozen=True, kw_only=True):
    """What the endpoint said to a test event. `taken`: with a status from 200 to 299."""

    taken: bool
    event_id: UUID
    attempt: CallbackAttempt


class Recovery(Incoming, frozen=True, kw_only=True):
    """From when on what failed or was missed is to be sent again."""

    since: datetime


class Recovered(Outgoing, frozen=True, kw_only=True):
    """How many events are on their way again. While there are `more`, ask again."""

    recovered: int
    more: bool


class NotificationNews(Outgoing, frozen=True, kw_only=True):
    """The `data` of a callback about a notification.

    `sequence` grows with each event of one notification; compare it to find the newest. `attempt` is 0
    for what a provider reported afterwards, `target` the device that a remark is about.
    """

    id: UUID
    request_id: str
    channel: Channel
    user_id: str
    template_id: str
    template_version: int | None = None
    metadata: dict[str, str]
    sandbox: bool
    status: Status
    reason: Reason | None = None
    detail: str | None = None
    attempt: int
    provider: str | None = None
    provider_ref: str | None = None
    target: str | None = None
    accepted_at: datetime
    sequence: int


class EndpointNews(Outgoing, frozen=True, kw_only=True):
    """The `data` of a callback about an endpoint."""

    id: UUID
    url: str
    status: EndpointStatus
    because: str | None = None


class NotificationCallback(Outgoing, frozen=True, kw_only=True):
    """The body of a callback about a notification (Standard Webhooks). `timestamp` is when it happened."""

    type: EventType
    timestamp: datetime
    data: NotificationNews


class EndpointCallback(Outgoing, frozen=True, kw_only=True):
    """The body of a callback about an endpoint: a test, or that another one of the same owner was stopped."""

    type: EventType
    timestamp: datetime
    data: EndpointNews
