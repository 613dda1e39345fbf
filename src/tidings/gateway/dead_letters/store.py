"""All SQL on dead letters as they come in, are looked through, edited and discarded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from tidings.contracts.codes import Status
from tidings.contracts.dead_letters import DeadLetter, DeadLetterEdits, DeadLetterFilter, DeadLetterGroup
from tidings.contracts.messages import DeliveryMessage, StatusEvent
from tidings.gateway.callbacks.outbox import CallbackOutbox
from tidings.gateway.channels.deciding import First
from tidings.gateway.channels.store import follow, with_fallbacks
from tidings.gateway.dead_letters.selecting_store import LETTERS, conditions
from tidings.kit.audit.store import record as audit
from tidings.kit.database import USE_SECONDS, Database

BATCH_SECONDS = 10.0
"""Also for what an operator asks of all dead letters at once."""

_UNSETTLED = [status for status in Status if not status.settled]


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that nobody could deal with. `unreported`: no worker told the gateway about it."""

    id: UUID
    fingerprint: bytes
    message: DeliveryMessage | None
    queue: str
    reason: str
    detail: str
    cause: str
    body: bytes
    headers: dict[str, str]
    recorded_at: datetime
    unreported: bool


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """A dead letter as it was read. Its `revision` grows with each edit and each replay.

    `owner` and `status` are its notification's; None where there is none.
    """

    summary: DeadLetter
    body: bytes
    edits: DeadLetterEdits | None
    revision: int
    owner: str | None
    status: Status | None


class DeadLetterStore:
    """Dead letters beside the notifications they were. `only_tests`: of those sent with test keys."""

    def __init__(self, database: Database, outbox: CallbackOutbox) -> None:
        self._database = database
        self._outbox = outbox

    async def record(self, letters: Sequence[Letter]) -> None:
        """Keep letters, and settle what is unsettled of the unreported ones; repeating it is harmless."""
        settling = [(one.message.notification_id, one) for one in letters if one.unreported and one.message]
        # A letter that comes twice is waited for by its second; in one order nobody is waited for in turn.
        ordered = sorted(letters, key=lambda one: one.fingerprint)
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            await connection.execute(_INSERT, *_columns(ordered))
            await connection.fetch(_LOCK, *await with_fallbacks(connection, (one for one, _ in settling)))
            settled = await connection.fetch(
                _SETTLE,
                [notification_id for notification_id, _ in settling],
                [letter.reason for _, letter in settling],
                [letter.detail for _, letter in settling],
                [letter.recorded_at for _, letter in settling],
                Status.DEAD_LETTERED,
                _UNSETTLED,
            )
            moves = [msgspec.convert(dict(row), StatusEvent) for row in settled]
            firsts = [
                First.of(row["fallback_id"], move.status, move.reason, ())
                for row, move in zip(settled, moves, strict=True)
                if row["fallback_id"]
            ]
            moves += await follow(connection, firsts)
            await self._outbox.record(connection, moves=moves)
        self._outbox.announce()

    async def page(
        self, wanted: DeadLetterFilter, *, before: UUID | None, limit: int, only_tests: bool
    ) -> list[DeadLetter]:
        """Dead letters that fit, newest first, from the one that follows `before`."""
        where, values = conditions(wanted, only_tests=only_tests)
        statement = _PAGE.format(
            summary=_SUMMARY,
            letters=LETTERS,
            where=where,
            before=len(values) + 1,
            limit=len(values) + 2,
        )
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            rows = await connection.fetch(statement, *values, before, limit)
        return [_summary(row) for row in rows]

    async def groups(
        self, wanted: DeadLetterFilter, *, limit: int, only_tests: bool
    ) -> list[DeadLetterGroup]:
        """Those that fit by cause, the largest groups first."""
        where, values = conditions(wanted, only_tests=only_tests)
        statement = _GROUPS.format(letters=LETTERS, where=where, limit=len(values) + 1)
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            rows = await connection.fetch(statement, *values, limit)
        return [msgspec.convert(dict(row), DeadLetterGroup) for row in rows]

    async def kept(
        self, ids: Sequence[UUID], *, only_tests: bool, limit: float = USE_SECONDS
    ) -> list[KeptLetter]:
        """The letters of these ids that there are."""
        statement = _READ.format(summary=_SUMMARY, letters=LETTERS)
        async with self._database.connection(limit=limit) as connection:
            rows = await connection.fetch(statement, list(ids), only_tests)
        return [_kept(row) for row in rows]

    async def edit(
        self, letter: KeptLetter, edits: DeadLetterEdits, expires_at: datetime | None, *, actor: str
    ) -> bool:
        """Keep edits beside the original; False when it was edited or replayed since `letter` was read."""
        async with self._database.transaction() as connection:
            fields = (msgspec.to_builtins(edits), expires_at)
            done = await connection.fetchval(_EDIT, letter.summary.id, letter.revision, *fields)
            if done is None:
                return False
            # The values are personal data, and the audit log is never erased.
            edited = sorted(msgspec.to_builtins(edits))
            await audit(
                connection, actor, "dead_letter.edited", str(letter.summary.id), {"edited_fields": edited}
            )
        return True

    async def discard(self, wanted: DeadLetterFilter, *, actor: str, only_tests: bool) -> int:
        """Delete those that fit for good; returns how many."""
        where, values = conditions(wanted, only_tests=only_tests)
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            count: int = await connection.fetchval(_DISCARD.format(letters=LETTERS, where=where), *values)
            detail = {"filter": msgspec.to_builtins(wanted), "discarded": count}
            await audit(connection, actor, "dead_letters.discarded", "dead_letters", detail)
        return count


def _columns(letters: Sequence[Letter]) -> list[list[Any]]:
    own = [[getattr(letter, name) for letter in letters] for name in _FIELDS]
    of_message = [[getattr(letter.message, name, None) for letter in letters] for name in _MESSAGE_FIELDS]
    return own + of_message


def _summary(row: asyncpg.Record) -> DeadLetter:
    return msgspec.convert(dict(row), DeadLetter)


def _kept(row: asyncpg.Record) -> KeptLetter:
    edits = None if row["edits"] is None else msgspec.convert(row["edits"], DeadLetterEdits)
    status = None if row["status"] is None else Status(row["status"])
    return KeptLetter(_summary(row), row["body"], edits, row["revision"], row["owner"], status)


_FIELDS = ("id", "fingerprint", "queue", "reason", "detail", "cause", "body", "headers", "recorded_at")
_MESSAGE_FIELDS = ("notification_id", "channel", "user_id", "template_id", "expires_at")
_INSERT = """
insert into dead_letters
    (id, fingerprint, queue, reason, detail, cause, body, headers, recorded_at,
     notification_id, channel, user_id, template_id, expires_at)
select * from unnest($1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[],
                     $8::jsonb[], $9::timestamptz[], $10::uuid[], $11::text[], $12::text[], $13::text[],
                     $14::timestamptz[])
on conflict (fingerprint) do nothing
"""
_LOCK = """
select from notifications where id = any($1::uuid[]) and id between $2 and $3 order by id for update
"""
_SETTLE = """
with settled as (
    update notifications n
    set status = $5, reason = l.reason, updated_at = l.at, dispatch_at = null,
        queued_at = coalesce(n.queued_at, greatest(n.accepted_at, l.at))
    from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as l (id, reason, detail, at)
    where n.id = l.id and n.status = any($6::text[])
    returning n.id as notification_id, n.status, n.fallback_id, l.at, l.reason, l.detail,
        coalesce((select max(attempt) from events e where e.notification_id = n.id), 0)::smallint as attempt
), noted as (
    insert into events (notification_id, status, at, reason, detail, attempt)
    select notification_id, status, at, reason, detail, attempt from settled
    on conflict do nothing
)
select * from settled
"""
# Without the body, of which each may have megabytes.
_SUMMARY = """
    id, notification_id, "group", reason, cause, detail, queue, channel, user_id, template_id, provider,
    recorded_at, expires_at, edits is not null as edited, replayed_as, redacted_at
"""
_PAGE = """
select {summary} from {letters} where {where} and (${before}::uuid is null or id < ${before})
order by id desc limit ${limit}
"""
_GROUPS = """
select "group", reason, provider, template_id, cause, count(*) as count,
       count(*) filter (where cardinality(replayed_as) > 0) as replayed,
       min(recorded_at) as first_at, max(recorded_at) as last_at,
       (array_agg(id order by id desc))[1] as example_id
from {letters} where {where}
group by "group", reason, provider, template_id, cause
order by count desc, last_at desc limit ${limit}
"""
_READ = """
select {summary}, body, edits, revision, owner, status from {letters}
where id = any($1::uuid[]) and (sandbox or not $2::boolean)
"""
_EDIT = """
update dead_letters set edits = $3, expires_at = $4, revision = revision + 1
where id = $1 and revision = $2 returning id
"""
# Locked in the order in which replays lock them, so that the two cannot deadlock.
_DISCARD = """
with meant as (select id from {letters} where {where}),
    locked as (select d.id from dead_letters d join meant on meant.id = d.id order by d.id for update of d),
    gone as (delete from dead_letters where id in (select id from locked) returning id)
select count(*) from gone
"""
