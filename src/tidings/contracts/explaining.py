"""What was decided about a notification, and what would be: `explain` and dry runs."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from tidings.contracts.base import Incoming, Outgoing
from tidings.contracts.codes import Channel, Reason, Status, Verdict
from tidings.contracts.messages import Decision, DeliveryMessage

StepName = Annotated[
    str, Meta(description="what was decided; docs/explain.md lists them", examples=["quiet_hours"])
]


class Would(StrEnum):
    """What would become of a notification now."""

    SEND = "send"
    WAIT = "wait"
    NOT_SEND = "not_send"
    UNKNOWN = "unknown"
    """The channel's service, which decides, does not answer."""


class ExplainedStep(Outgoing, frozen=True, kw_only=True, omit_defaults=True):
    """One decision. `attempt` is 0 before the first attempt and for what was said after the last.

    `status` and `reason` are there where the step is one of the timeline too, `target` where it is about
    one of several devices.
    """

    step: StepName
    verdict: Verdict
    at: datetime | None = None
    attempt: int = 0
    detail: str | None = None
    status: Status | None = None
    reason: Reason | None = None
    provider: str | None = None
    until: datetime | None = None
    target: str | None = None


class Explanation(Outgoing, frozen=True, kw_only=True):
    """How a notification came to where it is. `waits_for` and `until` are there while it waits.

    `replays` are the notifications that repeat it, `group_id` is the first of several channels' id.
    """

    id: UUID
    status: Status
    settled: bool
    reason: Reason | None = None
    summary: Annotated[str, Meta(description="one sentence")]
    waits_for: str | None = None
    until: datetime | None = None
    dead_letter_id: UUID | None = None
    replay_of: UUID | None = None
    replays: list[UUID] = []
    group_id: UUID | None = None
    fallback_of: UUID | None = None
    fallback_id: UUID | None = None
    schedule_id: UUID | None = None
    steps: list[ExplainedStep]


class ChannelOutlook(Outgoing, frozen=True, kw_only=True):
    """What would become of it on one channel. A `fallback` waits for how far the first one gets."""

    channel: Channel
    fallback: bool = False
    would: Would
    reason: Reason | None = None
    detail: str | None = None
    until: datetime | None = None
    steps: list[ExplainedStep]


class DryRun(Outgoing, frozen=True, kw_only=True):
    """What would become of a request now. Nothing was sent, stored or counted as a notification.

    `code` is that of the error that the request itself would get, `replay_of` the notification that an
    earlier request with the same key became.
    """

    would: Would
    code: str | None = None
    reason: Reason | None = None
    detail: str | None = None
    until: datetime | None = None
    replay_of: UUID | None = None
    steps: list[ExplainedStep]
    channels: list[ChannelOutlook] = []


class NewRehearsal(Incoming, frozen=True, kw_only=True):
    """What the gateway asks a channel's service: this message, as if it came `at` that time."""

    message: DeliveryMessage
    at: datetime


class Rehearsal(Outgoing, frozen=True, kw_only=True):
    """What the channel's service would do with a message."""

    would: Would
    reason: Reason | None = None
    detail: str | None = None
    until: datetime | None = None
    decisions: list[Decision]
