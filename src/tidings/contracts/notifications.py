"""What the gateway takes and answers: requests to notify, and what became of them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta

from tidings.contracts.base import WALL_CLOCK, Incoming, Locale, Outgoing, Slug
from tidings.contracts.codes import Channel, Priority, Reached, Reason, Status

SendAt = Annotated[
    datetime, Meta(description="when to send it, with a UTC offset", examples=["2027-01-31T09:00:00+01:00"])
]
SendAtLocal = Annotated[
    datetime,
    Meta(
        tz=False,
        extra_json_schema={
            "description": "when to send it, by the recipient's clock, without an offset",
            "examples": ["2027-01-31T09:00:00"],
            "extra": WALL_CLOCK,
        },
    ),
]
Also = Annotated[list[Channel], Meta(min_length=1, max_length=len(Channel) - 1)]
DedupeSeconds = Annotated[
    int, Meta(ge=1, le=30 * 86_400, description="how long a `dedupe_key` holds: 3,600 unless it is given")
]
Address = Annotated[str, Meta(max_length=254, examples=["ada@example.com"])]

FileName = Annotated[str, Meta(min_length=1, max_length=255, examples=["invoice.pdf"])]
MediaType = Annotated[
    str, Meta(max_length=500, description="with its parameters, if any", examples=["application/pdf"])
]
ContentId = Annotated[
    str, Meta(max_length=200, description="the html shows the file as `cid:` and this", examples=["logo"])
]
# Python's `$` lets a line end pass, hence the look-ahead.
FileUrl = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s\x00-\x1f\x7f]+(?!\n)$",
        max_length=2_000,
        description="fetched when the email is sent",
        examples=["https://files.example.com/terms.pdf"],
    ),
]


class NewAttachment(Incoming, frozen=True, kw_only=True):
    """A file that goes with an email: its `content` (base64 in JSON), or a `url` to fetch it from.

    Without a `content_type` the file's name decides.
    """

    filename: FileName
    content_type: MediaType | None = None
    content: Annotated[bytes, Meta(description="base64 (RFC 4648, section 4)")] | None = None
    url: FileUrl | None = None
    content_id: ContentId | None = None


class EmailOptions(Incoming, frozen=True, kw_only=True):
    """What one email has beside its template's words.

    Copies to addresses on the suppression list are left out. All `content` together may have 10 MiB.
    `headers` begin with `X-`, or are of a short list.
    """

    reply_to: Address | None = None
    cc: Annotated[list[Address], Meta(max_length=20)] = []
    bcc: Annotated[list[Address], Meta(max_length=20)] = []
    headers: Annotated[dict[str, str], Meta(max_length=50)] = {}
    attachments: Annotated[list[NewAttachment], Meta(max_length=20)] = []


class Fallback(Incoming, frozen=True, kw_only=True):
    """Another channel, used when the first one did not get as far as `unless` within `after_seconds`.

    It is used at once when the first one has failed, and not at all once the first got that far.
    """

    channel: Channel
    after_seconds: Annotated[int, Meta(ge=10, le=7 * 86_400, description="from the acceptance on")] = 600
    unless: Reached = Reached.DISPLAYED


class NewNotification(Incoming, frozen=True, kw_only=True):
    """A request to notify one person.

    `request_id`, or an `Idempotency-Key` header, makes the request safe to repeat (for 24 hours
    unless the installation says otherwise).
    `email` is for the channel email only. `send_at` has a UTC offset; `send_at_local` is the recipient's
    wall clock. `also` names further channels that get it at the same time. Of requests with the same
    `dedupe_key` only the first within `dedupe_seconds` becomes a notification.
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
    # What was added later stands at the end and is None where it is not given: see gateway/fingerprints.py.
    email: EmailOptions | None = None
    send_at: SendAt | None = None
    send_at_local: SendAtLocal | None = None
    also: Also | None = None
    fallback: Fallback | None = None
    dedupe_key: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    dedupe_seconds: DedupeSeconds | None = None


class AcceptedBeside(Outgoing, frozen=True, kw_only=True):
    """What a request became beside its first notification: the same on another channel."""

    id: UUID
    channel: Channel
    status: Status


class Accepted(Outgoing, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to a request that was taken: it is committed and will not be lost.

    `others` are its notifications on further channels; a fallback waits as `scheduled`. `deduplicated`: an
    earlier request had the same `dedupe_key`, and `id` is its notification.
    """

    id: UUID
    request_id: str
    status: Status
    accepted_at: datetime
    others: list[AcceptedBeside] = []
    deduplicated: bool = False


class TimelineEvent(Outgoing, frozen=True, kw_only=True):
    """One step in a notification's life. `target` says of which device, where there are several.

    What a provider said after it took the message has the attempt 0.
    """

    status: Status
    at: datetime
    attempt: int = 0
    reason: Reason | None = None
    detail: str | None = None
    provider: str | None = None
    provider_ref: str | None = None
    next_attempt_at: datetime | None = None
    target: str | None = None


class Notification(Outgoing, frozen=True, kw_only=True):
    """A notification's present state; `timeline` is there when one notification is read.

    `sandbox`: it was sent with a test key, and reaches no real provider. `replay_of`: the dead-lettered
    notification that it repeats. `send_at`: when it is due, where that was later than its acceptance.
    `schedule_id`: the schedule that made it. Notifications of one request on several channels have the
    same `group_id`, the id of the first; a fallback is `fallback_of` the one whose `fallback_id` it is.
    `redacted_at`: since when it says no more what it said.
    """

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
    sandbox: bool = False
    replay_of: UUID | None = None
    send_at: datetime | None = None
    schedule_id: UUID | None = None
    group_id: UUID | None = None
    fallback_of: UUID | None = None
    fallback_id: UUID | None = None
    redacted_at: datetime | None = None
    timeline: list[TimelineEvent] = []


class Notifications(Outgoing, frozen=True, kw_only=True):
    """A page of notifications, newest first. While there is a `next_cursor`, ask again with it."""

    notifications: list[Notification]
    next_cursor: str | None = None
