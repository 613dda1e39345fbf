"""Cancelling notifications that nobody has begun to send."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta

from tidings.contracts.base import Incoming, Outgoing
from tidings.contracts.codes import Status

MAX_CANCELS = 1_000
MAX_LEFT = 10_000
"""How far what is left is counted."""

CancelReason = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00]*$",
        description="kept in the timeline",
        examples=["The order was withdrawn"],
    ),
]
RequestIds = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]],
    Meta(min_length=1, max_length=MAX_CANCELS),
]


class NewCancel(Incoming, frozen=True, kw_only=True):
    """Why a notification is cancelled."""

    reason: CancelReason | None = None


class NewCancels(Incoming, frozen=True, kw_only=True):
    """Which notifications to cancel: give exactly one of `group_id`, `schedule_id` and `request_ids`.

    A group is what one request for several channels became, and its id that of the first of them.
    """

    group_id: UUID | None = None
    schedule_id: UUID | None = None
    request_ids: RequestIds | None = None
    reason: CancelReason | None = None


class CancelProblem(Outgoing, frozen=True, kw_only=True):
    """Why a notification was not cancelled: what a request for it alone would have answered."""

    status: int
    code: str
    detail: str


class CancelItem(Outgoing, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one notification: without a `problem` it is cancelled."""

    id: UUID
    request_id: str
    status: Status
    problem: CancelProblem | None = None


class CancelAnswer(Outgoing, frozen=True, kw_only=True):
    """Up to 1,000 notifications that were meant, those that still waited first, and then the oldest first.

    `left`: how many more wait, counted up to 10,000; the same request again goes on with them. `unknown`: the
    `request_ids` that no notification of this API key has.
    """

    cancelled: int
    refused: int
    left: int
    unknown: list[str]
    items: list[CancelItem]
