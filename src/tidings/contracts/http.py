"""What the services say to each other, and to callers, over HTTP.

Structs that come in refuse unknown fields, so that a misspelt field is an error and not a surprise.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tidings.contracts.codes import Channel, Priority, Reason, Status

Locale = Annotated[
    str, Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", description="BCP 47", examples=["pt-BR"])
]
Slug = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,99}$", description="stable name", examples=["welcome"]),
]


class Incoming(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what callers send."""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what we answer. Readers ignore fields they do not know."""


# --- people -------------------------------------------------------------------------------------


class NewUser(Incoming, frozen=True, kw_only=True):
    """A person who may be notified."""

    external_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    name: Annotated[str, Meta(max_length=200)] | None = None
    email: Annotated[str, Meta(max_length=254, examples=["ada@example.com"])] | None = None
    locale: Locale | None = None
    time_zone: Annotated[str, Meta(max_length=64, examples=["Europe/Lisbon"])] | None = None
    attributes: dict[str, Any] = {}


class ChannelPreferences(Incoming, frozen=True, kw_only=True):
    """Which channels a person wants. A channel left out stays on."""

    email: bool = True
    push: bool = True


class NewPushToken(Incoming, frozen=True, kw_only=True):
    """One device. A token that another user had moves to its new owner."""

    provider: Literal["fcm"]
    token: Annotated[str, Meta(min_length=1, max_length=4096)]
    platform: Literal["android", "ios", "web"] | None = None


class PushToken(Outgoing, frozen=True, kw_only=True):
    """One registered device."""

    id: UUID
    provider: str
    token: str
    platform: str | None = None
    created_at: datetime


class Preferences(ChannelPreferences, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """Preferences as readers take them: what a newer service adds is ignored."""


class User(Outgoing, frozen=True, kw_only=True):
    """A person, with preferences and devices."""

    id: UUID
    external_id: str | None = None
    name: str | None = None
    email: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    attributes: dict[str, Any] = {}
    preferences: Preferences
    tokens: list[PushToken] = []
    created_at: datetime
    updated_at: datetime


class Contact(Outgoing, frozen=True, kw_only=True):
    """What a channel needs to reach a person, and whether it may."""

    user_id: UUID
    email: str | None = None
    name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    preferences: Preferences
    tokens: list[PushToken] = []


class ContactQuery(Incoming, frozen=True, kw_only=True):
    """A look-up of many contacts at once."""

    user_ids: Annotated[list[str], Meta(max_length=500)]


class Contacts(Outgoing, frozen=True, kw_only=True):
    """The contacts found, by the id that was asked for. An id that is not here is unknown."""

    contacts: dict[str, Contact]


# --- templates ----------------------------------------------------------------------------------


class EmailContent(Incoming, frozen=True, kw_only=True):
    """The source of an email: minijinja in each field. Give html, text, or both."""

    subject: Annotated[str, Meta(min_length=1, max_length=2_000)]
    html: Annotated[str, Meta(max_length=500_000)] | None = None
    text: Annotated[str, Meta(max_length=500_000)] | None = None


class PushContent(Incoming, frozen=True, kw_only=True):
    """The source of a push notification: minijinja in each field."""

    title: Annotated[str, Meta(min_length=1, max_length=2_000)]
    body: Annotated[str, Meta(max_length=10_000)] = ""
    image: Annotated[str, Meta(max_length=2_000)] | None = None
    link: Annotated[str, Meta(max_length=2_000)] | None = None
    data: dict[str, str] = {}


class LocalContent(Incoming, frozen=True, kw_only=True):
    """What a template says in one language, per channel."""

    email: EmailContent | None = None
    push: PushContent | None = None


class TemplateContent(Incoming, frozen=True, kw_only=True):
    """A template's words: by locale, with the one to fall back to."""

    default_locale: Locale = "en"
    content: Annotated[dict[Locale, LocalContent], Meta(min_length=1, max_length=200)]


class NewTemplate(TemplateContent, frozen=True, kw_only=True):
    """A template's first version."""

    id: Slug


class StoredEmail(EmailContent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """An email's source as readers take it: what a newer service adds is ignored."""


class StoredPush(PushContent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A push notification's source as readers take it."""


class StoredContent(LocalContent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A template's words in one language as readers take them."""

    email: StoredEmail | None = None
    push: StoredPush | None = None


class Template(Outgoing, frozen=True, kw_only=True):
    """One version of a template. A version never changes.

    `variables` lists, per channel, the top-level names its source uses: they are required.
    """

    id: str
    version: int
    default_locale: str
    content: dict[str, StoredContent]
    variables: dict[Channel, list[str]]
    created_at: datetime


class TemplateVersion(Outgoing, frozen=True, kw_only=True):
    """A line in a template's history."""

    version: int
    created_at: datetime


class TemplateVersions(Outgoing, frozen=True, kw_only=True):
    """A page of a template's history, newest first. While there is a `next_cursor`, ask again with it."""

    versions: list[TemplateVersion]
    next_cursor: str | None = None


class RenderRequest(Incoming, frozen=True, kw_only=True):
    """Values for a template's variables. Without `version` the newest is rendered."""

    version: Annotated[int, Meta(ge=1)] | None = None
    locale: Locale | None = None
    variables: dict[str, Any] = {}


class RenderedEmail(Outgoing, frozen=True, kw_only=True):
    """An email with its variables filled in."""

    subject: str
    html: str | None = None
    text: str | None = None


class RenderedPush(Outgoing, frozen=True, kw_only=True):
    """A push notification with its variables filled in."""

    title: str
    body: str = ""
    image: str | None = None
    link: str | None = None
    data: dict[str, str] = {}


class Rendered(Outgoing, frozen=True, kw_only=True):
    """A template with its variables filled in, and the version and locale that were used."""

    template_id: str
    version: int
    locale: str
    email: RenderedEmail | None = None
    push: RenderedPush | None = None


# --- notifications ------------------------------------------------------------------------------


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


# --- credentials --------------------------------------------------------------------------------


class KeyCheck(Incoming, frozen=True, kw_only=True):
    """An API key that a caller showed to another service."""

    key: Annotated[str, Meta(max_length=200)]


class KeyOwner(Outgoing, frozen=True, kw_only=True):
    """Whose key it is, and what it may do."""

    owner: str
    scopes: list[str]
