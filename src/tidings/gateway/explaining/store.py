"""All SQL on what stands behind a notification's state."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from tidings.contracts.messages import Decision
from tidings.contracts.notifications import TimelineEvent
from tidings.kit.database import Database

MOST_REPLAYS = 100

EventId = tuple[int, str, str | None, str | None]
"""An event within its notification's life: attempt, status, reason and target."""


@dataclass(frozen=True, slots=True)
class Background:
    """What belongs to a notification beside its timeline. `traces` are those of its events.

    `caller` is the name of the API key that sent it, or of the service. `dispatch_at`: until then nobody
    publishes it again.
    """

    caller: str
    queued_at: datetime | None
    dispatch_at: datetime | None
    dead_letter_id: UUID | None
    replays: list[UUID]
    group_id: UUID | None
    fallback_of: UUID | None
    fallback_unless: str | None
    fallback_id: UUID | None
    traces: Mapping[EventId, list[Decision]]

    def trace_of(self, event: TimelineEvent) -> list[Decision]:
        """How the worker came to an event; empty where there was nothing to decide."""
        return self.traces.get((event.attempt, event.status, event.reason, event.target), [])


class ExplainingStore:
    """Backgrounds, to read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def background(self, notification_id: UUID) -> Background | None:
        """What stands behind a notification; None when there is none of this id."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_READ, notification_id, MOST_REPLAYS)
            if row is None:
                return None
            events = await connection.fetch(_READ_TRACES, notification_id)
        traces = {
            (event["attempt"], event["status"], event["reason"], event["target"]): msgspec.convert(
                event["trace"], list[Decision]
            )
            for event in events
        }
        return Background(**row, traces=traces)

    async def holder(self, owner: str, dedupe_key: str, at: datetime) -> UUID | None:
        """The notification that has a business key `at` that time."""
        async with self._database.connection() as connection:
            found: UUID | None = await connection.fetchval(_READ_HOLDER, owner, dedupe_key, at)
        return found


_READ = """
select coalesce(k.name, n.owner) as caller, n.queued_at, n.dispatch_at, n.group_id, n.fallback_of,
    n.fallback_unless, n.fallback_id,
    (select id from dead_letters where notification_id = n.id order by id desc limit 1) as dead_letter_id,
    array(select id from notifications where replay_of = n.id order by id limit $2) as replays
from notifications n left join api_keys k on k.id::text = n.owner
where n.id = $1
"""
_READ_TRACES = """
select attempt, status, reason, target, trace from events
where notification_id = $1 and trace is not null
"""
_READ_HOLDER = "select notification_id from dedupe_keys where owner = $1 and key = $2 and expires_at > $3"
