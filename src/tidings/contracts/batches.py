"""Many notifications in one request, and what became of each."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta

from tidings.contracts.base import Incoming, Locale, Outgoing, Slug
from tidings.contracts.codes import Channel, Priority, Status
from tidings.contracts.explaining import DryRun
from tidings.contracts.notifications import (
    AcceptedBeside,
    Also,
    DedupeSeconds,
    EmailOptions,
    Fallback,
    SendAt,
    SendAtLocal,
)

MAX_ITEMS = 1_000

# For the description only: items are decoded one by one, so that a malformed one refuses only itself.
_ITEM = {
    "allOf": [{"$ref": "#/components/schemas/BatchDefaults"}],
    "properties": {"request_id": {"type": "string", "minLength": 1, "maxLength": 255}},
    "type": "object",
}


class BatchDefaults(Incoming, frozen=True, kw_only=True, omit_defaults=True):
    """What all notifications of a batch have in common: a notification's members without `request_id`.

    As JSON it may have 64 KiB: each notification gets a copy of its own.
    """

    channel: Channel | None = None
    user_id: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    template_id: Slug | None = None
    variables: dict[str, Any] = {}
    locale: Locale | None = None
    priority: Priority | None = None
    expires_at: datetime | None = None
    metadata: dict[str, str] = {}
    email: EmailOptions | None = None
    send_at: SendAt | None = None
    send_at_local: SendAtLocal | None = None
    also: Also | None = None
    fallback: Fallback | None = None
    dedupe_seconds: DedupeSeconds | None = None


class NewBatch(Incoming, frozen=True, kw_only=True):
    """A request to notify many.

    What a notification says itself goes before `defaults`; `variables` and `metadata` are merged name
    by name.
    """

    notifications: Annotated[
        list[Any],
        Meta(
            min_length=1,
            max_length=MAX_ITEMS,
            extra_json_schema={
                "description": "each as `POST /v1/notifications` takes it, without what `defaults` has",
                "extra": {"items": _ITEM},
            },
        ),
    ]
    defaults: BatchDefaults | None = None


class BatchFault(Outgoing, frozen=True, kw_only=True):
    """One thing that is wrong in a notification. `field` is a JSONPath within it: `$.variables.name`."""

    field: str
    message: str


class BatchProblem(Outgoing, frozen=True, kw_only=True, omit_defaults=True):
    """Why a notification was refused: what `POST /v1/notifications` would have answered.

    `retry_after`: seconds until it may be worth sending again. `limit`: the rate limit that refuses.
    """

    status: int
    code: str
    detail: str
    errors: list[BatchFault] = []
    limit: str | None = None
    retry_after: int | None = None


class BatchItem(Outgoing, frozen=True, kw_only=True, omit_defaults=True):
    """What became of the notification at `index`, counted from 0: it has an `id`, or a `problem`.

    `replayed`: an earlier request, or an earlier item, had it taken. `others` and `deduplicated` are as in
    the answer to a single request.
    """

    index: int
    id: UUID | None = None
    request_id: str | None = None
    status: Status | None = None
    accepted_at: datetime | None = None
    replayed: bool = False
    others: list[AcceptedBeside] = []
    deduplicated: bool = False
    problem: BatchProblem | None = None


class BatchAnswer(Outgoing, frozen=True, kw_only=True):
    """Every notification of a batch, in order. What is `accepted` is committed and will not be lost."""

    accepted: int
    refused: int
    items: list[BatchItem]


class DryBatchItem(DryRun, frozen=True, kw_only=True):
    """What would become of the notification at `index`, counted from 0: what its own dry run would say."""

    index: int


class DryBatch(Outgoing, frozen=True, kw_only=True):
    """What would become of each notification of a batch, in order, and of how many what.

    Each is looked at for itself, as if no other of the batch were there. Nothing was sent, stored or counted
    as a notification.
    """

    send: int
    wait: int
    not_send: int
    unknown: int
    items: list[DryBatchItem]
