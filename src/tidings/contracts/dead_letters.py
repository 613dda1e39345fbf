"""What the gateway says and takes about dead letters: looking through them, mending, replaying."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tidings.contracts.base import Incoming, Locale, Outgoing, Slug
from tidings.contracts.codes import Channel, Reason, Status
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.notifications import TimelineEvent

DEFAULT_RATE = 50.0
MAX_RATE = 1_000.0

# Python's `$` lets a line end pass, hence the look-ahead.
GroupId = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{12}(?!\n)$", description="of a group", examples=["5f0c2e9a41b7"])
]
ProviderName = Annotated[str, Meta(pattern=r"^[\w.-]{1,100}(?!\n)$", examples=["smtp"])]
UserId = Annotated[str, Meta(pattern=r"^[^\x00]{1,100}(?!\n)$")]
TemplateVersion = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Rate = Annotated[float, Meta(ge=0.01, le=MAX_RATE, description="replays per second, at most")]


class DeadLetterFilter(Incoming, frozen=True, kw_only=True, omit_defaults=True):
    """Which dead letters are meant: those to which everything given applies.

    `ids` are of dead letters. `provider` tried them last. `since` and `until` compare with
    `recorded_at`, and `until` itself is not included.
    """

    ids: Annotated[list[UUID], Meta(max_length=1_000)] | None = None
    group: GroupId | None = None
    reason: Reason | None = None
    channel: Channel | None = None
    template_id: Slug | None = None
    provider: ProviderName | None = None
    user_id: UserId | None = None
    since: datetime | None = None
    until: datetime | None = None
    replayed: bool | None = None


class DeadLetter(Outgoing, frozen=True, kw_only=True):
    """A message that nobody could deal with.

    `cause` is `detail` without what differs from message to message. `notification_id`, `channel`,
    `user_id` and `template_id` are missing where the message cannot be read. `expires_at` is the one
    that a replay would have. `replayed_as` are the notifications made of it, in turn. One that was
    redacted (`redacted_at`) says no more what it said, and cannot be replayed.
    """

    id: UUID
    notification_id: UUID | None = None
    group: str
    reason: str
    cause: str
    detail: str
    queue: str
    channel: Channel | None = None
    user_id: str | None = None
    template_id: str | None = None
    provider: str | None = None
    recorded_at: datetime
    expires_at: datetime | None = None
    edited: bool
    replayed_as: list[UUID]
    redacted_at: datetime | None = None


class DeadLetters(Outgoing, frozen=True, kw_only=True):
    """A page of dead letters, newest first. While there is a `next_cursor`, ask again with it."""

    dead_letters: list[DeadLetter]
    next_cursor: str | None = None


class DeadLetterGroup(Outgoing, frozen=True, kw_only=True):
    """Dead letters with one cause. `group` names it in filters; `replayed` counts those replayed already."""

    group: str
    reason: str
    provider: str | None = None
    template_id: str | None = None
    cause: str
    count: int
    replayed: int
    first_at: datetime
    last_at: datetime
    example_id: UUID


class DeadLetterGroups(Outgoing, frozen=True, kw_only=True):
    """The largest groups first; `more`: there are others, so narrow the filter or raise the limit."""

    groups: list[DeadLetterGroup]
    more: bool


class DeadLetterEdits(Outgoing, frozen=True, kw_only=True):
    """What a replay uses instead of what the original says; what is not there stays as it was.

    `variables` are all of them, as they would be sent.
    """

    variables: dict[str, Any] | UnsetType = UNSET
    template_version: TemplateVersion | UnsetType | None = UNSET
    locale: Locale | UnsetType | None = UNSET
    expires_at: datetime | UnsetType | None = UNSET


class DeadLetterPatch(Incoming, frozen=True, kw_only=True):
    """Changes to what a replay will say; what is left out stays.

    A member of `variables` is set, or taken away by null. Without a `template_version` (null) it is
    the newest when replayed, without a `locale` the person's, without `expires_at` never.
    """

    variables: dict[str, Any] | UnsetType = UNSET
    template_version: TemplateVersion | UnsetType | None = UNSET
    locale: Locale | UnsetType | None = UNSET
    expires_at: datetime | UnsetType | None = UNSET


class ReplayedAs(Outgoing, frozen=True, kw_only=True):
    """A notification that a dead letter was replayed as, and what became of it."""

    id: UUID
    status: Status
    settled: bool
    reason: Reason | None = None
    accepted_at: datetime


class DeadLetterDetail(DeadLetter, frozen=True, kw_only=True):
    """A dead letter whole: the original `message` (or the `body` that is none), each attempt, its replays."""

    message: DeliveryMessage | None = None
    body: str | None = None
    edits: DeadLetterEdits | None = None
    attempts: list[TimelineEvent]
    replays: list[ReplayedAs]


class NewReplay(Incoming, frozen=True, kw_only=True):
    """How to replay one dead letter. `again`: also when it was replayed, or has arrived, before."""

    again: bool = False


class Replayed(Outgoing, frozen=True, kw_only=True):
    """A dead letter is on its way again, as a new notification."""

    dead_letter_id: UUID
    notification_id: UUID


class NewReplayJob(Incoming, frozen=True, kw_only=True):
    """A request to replay every dead letter of a filter, not faster than `rate` per second.

    `dry_run` only counts. Without `skip_expired`, expired ones are sent without their expiry.
    """

    filter: DeadLetterFilter
    rate: Rate = DEFAULT_RATE
    dry_run: bool = False
    skip_expired: bool = True
    again: bool = False


class ReplayState(StrEnum):
    """Where a replay job is."""

    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class ReplayJob(Outgoing, frozen=True, kw_only=True):
    """A replay under way or over. `skipped` counts by reason, which is a problem code (docs/errors.md)."""

    id: UUID
    state: ReplayState
    filter: dict[str, Any]
    rate: float
    again: bool
    skip_expired: bool
    matched: int
    replayed: int
    skipped: dict[str, int]
    remaining: int
    created_at: datetime
    finished_at: datetime | None = None


class ReplayPlan(Outgoing, frozen=True, kw_only=True):
    """What a replay job would do now. What its template or user would refuse shows only when it runs."""

    matched: int
    replayable: int
    skipped: dict[str, int]


class Discarded(Outgoing, frozen=True, kw_only=True):
    """How many dead letters are gone for good."""

    discarded: int


def is_narrow(wanted: DeadLetterFilter) -> bool:
    """Whether a filter says anything at all."""
    return any(value is not None for value in msgspec.structs.astuple(wanted))
