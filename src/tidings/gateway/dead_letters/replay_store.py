"""All SQL on replays: dead letters that become notifications, and the jobs that see to many of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import msgspec

from tidings.contracts.codes import Status
from tidings.contracts.dead_letters import NewReplayJob, ReplayPlan, ReplayState
from tidings.contracts.dead_letters import ReplayJob as Job
from tidings.contracts.messages import DeliveryMessage
from tidings.gateway.dead_letters.selecting_store import LETTERS, conditions
from tidings.gateway.dead_letters.store import BATCH_SECONDS, KeptLetter
from tidings.gateway.store import NewRow, add_notifications
from tidings.kit.audit.store import record as audit
from tidings.kit.database import USE_SECONDS, Connection, Database
from tidings.kit.ids import new_id, now

START_SECONDS = 25.0
"""For matching a million dead letters."""

LEASE_SECONDS = 10.0
"""After this time another gateway takes what one has claimed and not settled."""

SLICE_SECONDS = 0.2
MAX_SLICE = 200
REPLAYED = "replayed"
ARRIVED = [Status.SENT, Status.DELIVERED]


@dataclass(frozen=True, slots=True)
class Replay:
    """A dead letter that is about to become the notification of `row`. `copies`: its files, old id to new."""

    letter_id: UUID
    revision: int
    row: NewRow
    copies: Mapping[UUID, UUID]

    @classmethod
    def of(
        cls,
        letter: KeptLetter,
        message: DeliveryMessage,
        *,
        owner: str,
        headers: dict[str, str],
        copies: Mapping[UUID, UUID],
    ) -> Self:
        """A letter as the notification of `message`."""
        row = NewRow(
            message=message,
            body=msgspec.json.encode(message),
            owner=owner,
            headers=headers,
            replay_of=letter.summary.notification_id,
        )
        return cls(letter.summary.id, letter.revision, row, copies)


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of a job's dead letters, which are ours for a while."""

    job_id: UUID
    actor: str
    sandbox: bool
    again: bool
    skip_expired: bool
    letter_ids: list[UUID]


class ReplayStore:
    """Replays and replay jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def plan(self, wanted: NewReplayJob, *, sandbox: bool) -> ReplayPlan:
        """What a job would do now, also with a test key's reach (`sandbox`)."""
        where, values = conditions(wanted.filter, only_tests=sandbox, first=4)
        statement = _PLAN.format(letters=LETTERS, where=where)
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            rows = await connection.fetch(statement, wanted.again, wanted.skip_expired, ARRIVED, *values)
        counts = {row["verdict"]: row["count"] for row in rows}
        return ReplayPlan(
            matched=sum(counts.values()),
            replayable=counts.pop(REPLAYED, 0),
            skipped=dict(sorted(counts.items())),
        )

    async def start(self, wanted: NewReplayJob, *, actor: str, sandbox: bool) -> UUID:
        """Begin a job with the dead letters that match now; returns its id."""
        job_id = new_id()
        where, values = conditions(wanted.filter, only_tests=sandbox, first=2)
        terms = msgspec.to_builtins(wanted)
        async with self._database.transaction(limit=START_SECONDS) as connection:
            await connection.execute(
                _START,
                *(job_id, actor, sandbox, ReplayState.RUNNING, terms["filter"]),
                *(wanted.rate, wanted.again, wanted.skip_expired, now()),
            )
            await connection.execute(_MATCH.format(letters=LETTERS, where=where), job_id, *values)
            await audit(connection, actor, "replay_job.started", str(job_id), terms)
        return job_id

    async def job(self, job_id: UUID, *, only_tests: bool) -> Job | None:
        """A job and how far it has come; with `only_tests` if a test key began it."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            row = await connection.fetchrow(_READ_JOB, job_id, only_tests)
            if row is None:
                return None
            counted = await connection.fetch(_COUNT, job_id)
        counts = {one["outcome"]: one["count"] for one in counted}
        return msgspec.convert(
            {
                **row,
                "matched": sum(counts.values()),
                "remaining": counts.pop(None, 0),
                "replayed": counts.pop(REPLAYED, 0),
                "skipped": dict(sorted(counts.items())),
            },
            Job,
        )

    async def cancel(self, job_id: UUID, *, actor: str) -> bool:
        """Stop a job for good: when this returns, it replays nothing more. False when it was over."""
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            done = await connection.fetchval(
                _CANCEL, job_id, ReplayState.CANCELLED, now(), ReplayState.RUNNING
            )
            if done is not None:
                await audit(connection, actor, "replay_job.cancelled", str(job_id))
        return done is not None

    async def claim(self) -> Slice | None:
        """The next few of a job whose rate allows it; a job with nothing left is completed."""
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            job = await connection.fetchrow(_NEXT_JOB)
            if job is None:
                return None
            size = min(MAX_SLICE, max(1, round(job["rate"] * SLICE_SECONDS)))
            rows = await connection.fetch(_CLAIM_ITEMS, job["id"], size, LEASE_SECONDS)
            if rows:
                await connection.execute(_POSTPONE, job["id"], len(rows) / job["rate"])
            else:
                await connection.execute(_CLOSE, job["id"], ReplayState.COMPLETED, now(), SLICE_SECONDS)
                return None
        terms = {name: job[name] for name in ("actor", "sandbox", "again", "skip_expired")}
        return Slice(job_id=job["id"], letter_ids=[row["dead_letter_id"] for row in rows], **terms)

    async def seconds_until_due(self) -> float | None:
        """How long until a job may go on; None when none is running."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            seconds = await connection.fetchval(_DUE)
        return None if seconds is None else float(seconds)

    async def commit(self, replay: Replay, *, actor: str) -> bool:
        """Replay one dead letter; False when it was edited or replayed since it was read."""
        async with self._database.transaction(limit=USE_SECONDS) as connection:
            committed = await _commit(connection, [replay])
            if committed:
                detail = {"notification_id": str(replay.row.message.notification_id)}
                await audit(connection, actor, "dead_letter.replayed", str(replay.letter_id), detail)
        return bool(committed)

    async def commit_slice(
        self, claimed: Slice, replays: Sequence[Replay], skipped: Mapping[UUID, str]
    ) -> list[Replay]:
        """Settle what was claimed, all at once; returns the replays that are committed.

        A cancelled job replays nothing, an item that another gateway settled stays as it is, and a
        letter that was edited or replayed meanwhile is looked at again.
        """
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            if await connection.fetchval(_LOCK_JOB, claimed.job_id) != ReplayState.RUNNING:
                return []
            rows = await connection.fetch(_LOCK_ITEMS, claimed.job_id, claimed.letter_ids)
            ours = {row["dead_letter_id"] for row in rows}
            committed = await _commit(connection, [one for one in replays if one.letter_id in ours])
            settled: list[tuple[UUID, str, UUID | None]] = [
                (one.letter_id, REPLAYED, one.row.message.notification_id) for one in committed
            ]
            settled += [(one, reason, None) for one, reason in skipped.items() if one in ours]
            if settled:
                await connection.execute(_SETTLE, claimed.job_id, *map(list, zip(*settled, strict=True)))
        return committed


async def _commit(connection: Connection, replays: Sequence[Replay]) -> list[Replay]:
    """Take the replays whose dead letters are as they were read."""
    locked = await connection.fetch(_LOCK_LETTERS, [one.letter_id for one in replays])
    revisions = {row["id"]: row["revision"] for row in locked}
    fresh = [one for one in replays if revisions.get(one.letter_id) == one.revision]
    await add_notifications(connection, [one.row for one in fresh])
    files = [(old, new, one.row.message.notification_id) for one in fresh for old, new in one.copies.items()]
    if files:
        await connection.execute(_COPY_FILES, *map(list, zip(*files, strict=True)))
    await connection.execute(
        _LINK, [one.letter_id for one in fresh], [one.row.message.notification_id for one in fresh]
    )
    return fresh


_PLAN = """
select case
        when redacted_at is not null then 'redacted_dead_letter'
        when notification_id is null then 'unreadable_dead_letter'
        when not $1 and cardinality(replayed_as) > 0 then 'already_replayed'
        when not $1 and status = any($3::text[]) then 'already_sent'
        when not $1 and status = 'cancelled' then 'already_cancelled'
        when $2 and expires_at <= now() then 'already_expired'
        else 'replayed'
    end as verdict, count(*) as count
from {letters} where {where} group by verdict
"""
_START = """
insert into replay_jobs (id, actor, sandbox, state, filter, rate, again, skip_expired, created_at, due_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp())
"""
_MATCH = """
insert into replay_items (job_id, dead_letter_id) select $1, id from {letters} where {where}
"""
_READ_JOB = """
select id, state, filter, rate, again, skip_expired, created_at, finished_at from replay_jobs
where id = $1 and (sandbox or not $2::boolean)
"""
_COUNT = "select outcome, count(*) as count from replay_items where job_id = $1 group by outcome"
_CANCEL = "update replay_jobs set state = $2, finished_at = $3 where id = $1 and state = $4 returning id"
# The database's clock, so that gateways whose clocks differ keep one rate and the same leases.
_NEXT_JOB = """
select id, actor, sandbox, rate, again, skip_expired from replay_jobs
where state = 'running' and due_at <= clock_timestamp()
order by due_at limit 1 for update skip locked
"""
_CLAIM_ITEMS = """
update replay_items set leased_until = clock_timestamp() + make_interval(secs => $3)
where job_id = $1 and dead_letter_id in (
    select dead_letter_id from replay_items
    where job_id = $1 and outcome is null and (leased_until is null or leased_until < clock_timestamp())
    order by dead_letter_id limit $2 for update skip locked
)
returning dead_letter_id
"""
_POSTPONE = """
update replay_jobs set due_at = clock_timestamp() + make_interval(secs => $2) where id = $1
"""
# What others have claimed is still open: the job is looked at again soon.
_CLOSE = """
with open as (select exists (select from replay_items where job_id = $1 and outcome is null) as items)
update replay_jobs
set state = case when open.items then state else $2 end,
    finished_at = case when open.items then null else $3::timestamptz end,
    due_at = clock_timestamp() + make_interval(secs => $4)
from open where id = $1
"""
_DUE = """
select extract(epoch from min(due_at) - clock_timestamp()) from replay_jobs where state = 'running'
"""
_LOCK_JOB = "select state from replay_jobs where id = $1 for share"
_LOCK_ITEMS = """
select dead_letter_id from replay_items
where job_id = $1 and dead_letter_id = any($2::uuid[]) and outcome is null
order by dead_letter_id for update
"""
_SETTLE = """
update replay_items i set outcome = s.outcome, notification_id = s.notification_id, leased_until = null
from unnest($2::uuid[], $3::text[], $4::uuid[]) as s (dead_letter_id, outcome, notification_id)
where i.job_id = $1 and i.dead_letter_id = s.dead_letter_id
"""
# In one order everywhere, so that two jobs with common letters cannot deadlock.
_LOCK_LETTERS = "select id, revision from dead_letters where id = any($1::uuid[]) order by id for update"
_COPY_FILES = """
insert into attachments (id, notification_id, filename, content_type, content_id, content)
select copy.id, copy.notification_id, filename, content_type, content_id, content
from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as copy (original, id, notification_id)
join attachments on attachments.id = copy.original
"""
_LINK = """
update dead_letters d
set replayed_as = replayed_as || made.notification_id, revision = revision + 1
from unnest($1::uuid[], $2::uuid[]) as made (id, notification_id) where d.id = made.id
"""
