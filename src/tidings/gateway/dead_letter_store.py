"""All SQL on dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tidings.contracts.codes import Status
from tidings.kit.database import Database

BATCH_SECONDS = 10.0
_UNSETTLED = [status for status in Status if not status.settled]


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that nobody could deal with. `unreported`: no worker told the gateway about it."""

    id: UUID
    fingerprint: bytes
    notification_id: UUID | None
    queue: str
    reason: str
    detail: str
    body: bytes
    headers: dict[str, str]
    recorded_at: datetime
    unreported: bool


class DeadLetterStore:
    """Dead letters beside the notifications they were."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, letters: Sequence[Letter]) -> None:
        """Keep letters, and settle what is unsettled of the unreported ones; repeating it is harmless."""
        settling = [letter for letter in letters if letter.unreported and letter.notification_id is not None]
        settling.sort(key=lambda letter: str(letter.notification_id))
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            columns = [[getattr(letter, name) for letter in letters] for name in _FIELDS]
            await connection.execute(_INSERT, *columns)
            await connection.execute(
                _SETTLE,
                [letter.notification_id for letter in settling],
                [letter.reason for letter in settling],
                [letter.detail for letter in settling],
                [letter.recorded_at for letter in settling],
                Status.DEAD_LETTERED,
                _UNSETTLED,
            )


_FIELDS = (
    *("id", "fingerprint", "notification_id", "queue", "reason", "detail", "body", "headers"),
    "recorded_at",
)
_INSERT = """
insert into dead_letters
    (id, fingerprint, notification_id, queue, reason, detail, body, headers, recorded_at)
select * from unnest($1::uuid[], $2::bytea[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bytea[],
                     $8::jsonb[], $9::timestamptz[])
on conflict (fingerprint) do nothing
"""
_SETTLE = """
with settled as (
    update notifications n set status = $5, reason = l.reason, updated_at = l.at, dispatch_at = null
    from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as l (id, reason, detail, at)
    where n.id = l.id and n.status = any($6::text[])
    returning n.id, l.reason, l.detail, l.at
)
insert into events (notification_id, attempt, status, at, reason, detail)
select s.id, coalesce((select max(attempt) from events e where e.notification_id = s.id), 0), $5, s.at,
       s.reason, s.detail
from settled s
on conflict do nothing
"""
