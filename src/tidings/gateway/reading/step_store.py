"""All SQL that reads steps of notifications in the order in which they were committed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from tidings.contracts.codes import Channel, Status
from tidings.contracts.events import NotificationStep
from tidings.kit.database import Database


class Position(NamedTuple):
    """A place in the order of all steps: a transaction, and a number that its step was given."""

    transaction: int
    number: int


@dataclass(frozen=True, slots=True)
class PlacedStep:
    """A step and its place."""

    position: Position
    step: NotificationStep


@dataclass(frozen=True, slots=True)
class Reading:
    """Steps in order. `behind`: more are there already, of which the order is not certain yet."""

    steps: Sequence[PlacedStep]
    behind: bool


@dataclass(frozen=True, slots=True)
class Life:
    """A notification, with the steps reported after some number."""

    status: Status
    accepted: NotificationStep
    send_at: datetime | None
    queued_at: datetime | None
    steps: Sequence[tuple[int, NotificationStep]]


class StepStore:
    """Steps, to follow."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def present(self) -> Position:
        """A place such that every step committed from now on comes after it."""
        async with self._database.connection() as connection:
            return Position(await connection.fetchval(_PRESENT), 0)

    async def after(self, position: Position, *, limit: int) -> Reading:
        """The steps that follow a place, oldest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_AFTER, position.transaction, position.number, limit)
        settled = [row for row in rows if row["settled"]]
        steps = [PlacedStep(Position(row["transaction"], row["number"]), _step(row)) for row in settled]
        return Reading(steps, behind=len(settled) < len(rows) or len(rows) == limit)

    async def life(self, notification_id: UUID, *, after: int) -> Life | None:
        """A notification with its steps of a greater number than `after`; None: there is none."""
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            row = await connection.fetchrow(_NOTIFICATION, notification_id)
            if row is None:
                return None
            rows = await connection.fetch(_LIFE, notification_id, after)
        fields = {name: row[name] for name in _NAMED}
        accepted = NotificationStep(
            **fields | {"channel": Channel(row["channel"])}, status=Status.ACCEPTED, at=row["accepted_at"]
        )
        steps = [(one["number"], _step({**one, **fields})) for one in rows]
        return Life(Status(row["status"]), accepted, row["send_at"], row["queued_at"], steps)


_NAMED = ("notification_id", "request_id", "channel", "user_id", "template_id", "sandbox")
_FIELDS = NotificationStep.__struct_fields__


def _step(row: asyncpg.Record | dict[str, Any]) -> NotificationStep:
    return msgspec.convert({name: row[name] for name in _FIELDS}, NotificationStep)


_SANDBOX = "coalesce((n.message ->> 'sandbox')::boolean, false) as sandbox"
_PRESENT = "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_EVENT = (
    "e.attempt, e.status, e.at, e.reason, e.detail, e.provider, e.provider_ref, e.next_attempt_at, e.target"
)
# A transaction that is older than all that run can get no more steps, nor can one before it appear. One
# that is visible and yet newer than the snapshot came with a restored backup, and is no news.
_AFTER = f"""
with clock as materialized (
    select pg_snapshot_xmin(snapshot)::text::bigint as oldest,
        pg_snapshot_xmax(snapshot)::text::bigint as next
    from pg_current_snapshot() as snapshot
)
select e."transaction", e.number, e."transaction" < clock.oldest as settled, {_EVENT},
    n.id as notification_id, n.request_id, n.channel, n.user_id, n.template_id, {_SANDBOX}
from clock, events e join notifications n on n.id = e.notification_id
where e."transaction" is not null and (e."transaction", e.number) > ($1::bigint, $2::bigint)
    and e."transaction" < clock.next
order by e."transaction", e.number limit $3
"""  # noqa: S608 - our own column names
_NOTIFICATION = f"""
select id as notification_id, request_id, channel, user_id, template_id, status, accepted_at, send_at,
    queued_at, {_SANDBOX}
from notifications n where id = $1
"""  # noqa: S608 - our own column names
_LIFE = f"""
select coalesce(e.number, 0) as number, {_EVENT} from events e
where e.notification_id = $1 and coalesce(e.number, 0) > $2
order by 1, e.at
"""  # noqa: S608 - our own column names
