"""What the user service takes and answers: people, devices, wishes, and who must not be written to."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from tidings.contracts.base import Incoming, Locale, Outgoing, Slug
from tidings.contracts.codes import Channel

ExternalId = Annotated[str, Meta(min_length=1, max_length=200, examples=["customer-4711"])]
Name = Annotated[str, Meta(max_length=200, examples=["Ada Lovelace"])]
EmailAddress = Annotated[str, Meta(max_length=254, examples=["ada@example.com"])]
TimeZone = Annotated[str, Meta(max_length=64, description="IANA", examples=["Europe/Lisbon"])]


class NewUser(Incoming, frozen=True, kw_only=True):
    """A person who may be notified."""

    external_id: ExternalId | None = None
    name: Name | None = None
    email: EmailAddress | None = None
    locale: Locale | None = None
    time_zone: TimeZone | None = None
    attributes: dict[str, Any] = {}


class UserPatch(Incoming, frozen=True, kw_only=True):
    """Changes to a person (RFC 7396): what is left out stays, null clears. `attributes` are merged."""

    external_id: ExternalId | UnsetType | None = UNSET
    name: Name | UnsetType | None = UNSET
    email: EmailAddress | UnsetType | None = UNSET
    locale: Locale | UnsetType | None = UNSET
    time_zone: TimeZone | UnsetType | None = UNSET
    attributes: dict[str, Any] | UnsetType = UNSET


class SubscriptionKeys(Incoming, frozen=True, kw_only=True):
    """The keys of a Web Push subscription, base64url (RFC 8291)."""

    p256dh: Annotated[str, Meta(max_length=200)]
    auth: Annotated[str, Meta(max_length=100)]


class WebPushSubscription(Incoming, frozen=True, kw_only=True):
    """What a browser's `pushManager.subscribe()` gives. Only a push service on this machine needs no TLS."""

    endpoint: Annotated[
        str,
        Meta(pattern=r"^(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])", max_length=2_000),
    ]
    keys: SubscriptionKeys


class NewPushToken(Incoming, frozen=True, kw_only=True):
    """One device: a `token`, or for `webpush` a `subscription`. Known to another user, it moves here."""

    provider: Literal["fcm", "webpush", "apns", "onesignal", "expo"]
    token: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None
    subscription: WebPushSubscription | None = None
    platform: Literal["android", "ios", "web"] | None = None
    locale: Locale | None = None
    time_zone: TimeZone | None = None


class PushToken(Outgoing, frozen=True, kw_only=True):
    """One registered device. For `webpush` the token is the subscription's endpoint."""

    id: UUID
    provider: str
    token: str
    subscription: dict[str, Any] | None = None
    platform: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    created_at: datetime
    last_seen: datetime | None = None


class Weekday(StrEnum):
    """A day on which quiet hours begin."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


LocalTime = Annotated[
    str,
    Meta(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9](?!\n)$",
        description="wall-clock time",
        examples=["22:00"],
    ),
]


class QuietHours(Incoming, frozen=True, kw_only=True):
    """Hours in the person's time zone in which only what cannot be switched off is sent.

    They begin at `start` on each of `days` and end at the next `end`: 22:00 to 07:00 crosses midnight.
    """

    days: Annotated[tuple[Weekday, ...], Meta(min_length=1, max_length=7)] = tuple(Weekday)
    start: LocalTime
    end: LocalTime
    channels: Annotated[tuple[Channel, ...], Meta(min_length=1)] = tuple(Channel)


class FrequencyCap(Incoming, frozen=True, kw_only=True):
    """At most `most` notifications in any `per`; without `channel`, on all channels together."""

    most: Annotated[int, Meta(ge=0, le=1_000)]
    per: Literal["hour", "day", "week"]
    channel: Channel | None = None


class ChannelChoice(Incoming, frozen=True, kw_only=True):
    """A choice per channel; null leaves it to the default."""

    email: bool | None = None
    push: bool | None = None


class NewPreferences(Incoming, frozen=True, kw_only=True):
    """What a person wants. Everything left out is the default."""

    email: bool = True
    push: bool = True
    categories: Annotated[dict[Slug, ChannelChoice], Meta(max_length=200)] = {}
    quiet_hours: Annotated[list[QuietHours], Meta(max_length=20)] = []
    frequency_caps: Annotated[list[FrequencyCap], Meta(max_length=10)] = []


class StoredQuietHours(QuietHours, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """Quiet hours as readers take them: what a newer service adds is ignored."""


class StoredCap(FrequencyCap, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A cap as readers take it."""


class StoredChoice(ChannelChoice, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A choice as readers take it."""


class Preferences(NewPreferences, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """Preferences as readers take them."""

    categories: dict[str, StoredChoice] = {}  # type: ignore[assignment] # narrower, and read only
    quiet_hours: list[StoredQuietHours] = []  # type: ignore[assignment] # the same
    frequency_caps: list[StoredCap] = []  # type: ignore[assignment] # the same


class NewCategory(Incoming, frozen=True, kw_only=True):
    """A kind of notification that people may switch on and off, unless it is `required`."""

    name: Annotated[str, Meta(min_length=1, max_length=200, examples=["News and offers"])]
    description: Annotated[str, Meta(max_length=1_000)] = ""
    required: bool = False
    email: bool = True
    push: bool = True


class Category(Outgoing, frozen=True, kw_only=True):
    """A category with its defaults per channel."""

    id: str
    name: str
    description: str = ""
    required: bool = False
    email: bool = True
    push: bool = True

    def wanted(self, preferences: NewPreferences, channel: Channel) -> bool:
        """Whether a person with these preferences gets this category on this channel.

        A required category always. Else a channel that is off is off for every category, and in one
        that is on the person's choice counts, or without a choice the category's default.
        """
        if self.required:
            return True
        if not getattr(preferences, channel):
            return False
        choice = preferences.categories.get(self.id)
        chosen = None if choice is None else getattr(choice, channel)
        return bool(getattr(self, channel) if chosen is None else chosen)


class Categories(Outgoing, frozen=True, kw_only=True):
    """A page of categories by id. While there is a `next_cursor`, ask again with it."""

    categories: list[Category]
    next_cursor: str | None = None


class SuppressionReason(StrEnum):
    """Why an address must not be written to."""

    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    MANUAL = "manual"
    INVALID = "invalid"


class NewSuppression(Incoming, frozen=True, kw_only=True):
    """An email address or a push token that must not be written to; exactly one of the two.

    Without `expires_at`, hard bounces and invalid addresses expire after 30 days, the others never.
    """

    email: EmailAddress | None = None
    token: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None
    reason: SuppressionReason
    source: Annotated[str, Meta(max_length=500, description="who or what says so")] = "api"
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class Suppression(Outgoing, frozen=True, kw_only=True):
    """An entry of the suppression list."""

    id: UUID
    email: str | None = None
    token: str | None = None
    reason: SuppressionReason
    source: str
    created_at: datetime
    expires_at: datetime | None = None


class Suppressions(Outgoing, frozen=True, kw_only=True):
    """A page of suppressions, newest first. While there is a `next_cursor`, ask again with it."""

    suppressions: list[Suppression]
    next_cursor: str | None = None


class SuccessReport(Incoming, frozen=True, kw_only=True):
    """An address that took a message: what was only presumed dead is cleared."""

    email: EmailAddress


class SuppressionCheck(Incoming, frozen=True, kw_only=True):
    """Addresses that are about to be written to."""

    emails: Annotated[list[EmailAddress], Meta(max_length=100)]


class SuppressionFindings(Outgoing, frozen=True, kw_only=True):
    """Those of the addresses that must not be written to, as they were given."""

    suppressed: list[str]


class User(Outgoing, frozen=True, kw_only=True):
    """A person, with preferences and devices. After `erased_at` nothing personal is left."""

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
    erased_at: datetime | None = None


class Users(Outgoing, frozen=True, kw_only=True):
    """A page of people, newest first. While there is a `next_cursor`, ask again with it."""

    users: list[User]
    next_cursor: str | None = None


class UserExport(Outgoing, frozen=True, kw_only=True):
    """All that the user service knows of one person."""

    user: User
    removed_tokens: list[dict[str, Any]] = []
    suppressions: list[Suppression] = []
    exported_at: datetime


class Contact(Outgoing, frozen=True, kw_only=True):
    """What a channel needs to reach a person, and whether it may. Suppressed devices are left out."""

    user_id: UUID
    email: str | None = None
    email_suppressed: SuppressionReason | None = None
    name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    preferences: Preferences
    tokens: list[PushToken] = []


class ContactQuery(Incoming, frozen=True, kw_only=True):
    """A look-up of many contacts at once."""

    user_ids: Annotated[list[str], Meta(max_length=500)]


class Contacts(Outgoing, frozen=True, kw_only=True):
    """The contacts found, by the id that was asked for, and all categories. An id not here is unknown."""

    contacts: dict[str, Contact]
    categories: dict[str, Category] = {}


class Erasure(Outgoing, frozen=True, kw_only=True):
    """That a person was erased. `number` grows with each."""

    number: int
    user_id: UUID
    erased_at: datetime


class Erasures(Outgoing, frozen=True, kw_only=True):
    """The next erasures, the oldest first. Ask again with the last one's number; none is the end for now."""

    erasures: list[Erasure]


class ImportCounts(Outgoing, frozen=True, kw_only=True):
    """How far an import is: lines read, people created and updated, lines refused."""

    lines: int = 0
    created: int = 0
    updated: int = 0
    failed: int = 0


class ImportFault(Outgoing, frozen=True, kw_only=True):
    """Why a line was not imported. `line` counts from 1; `field` is a JSONPath, `$` the whole line."""

    line: int
    field: str
    message: str


class ImportEvent(Outgoing, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an import's answer: exactly one of the three. An answer without `summary` broke off."""

    progress: ImportCounts | None = None
    error: ImportFault | None = None
    summary: ImportCounts | None = None
