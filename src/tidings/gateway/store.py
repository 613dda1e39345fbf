"""Taking notifications and handing them to the broker: the table is the outbox."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from tidings.contracts.codes import Channel, Priority, Status
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.queues import work_queue
from tidings.gateway.attachment_store import KeptFile, add_files
from tidings.gateway.dedupe_store import Claim, drop_expired, fold
from tidings.gateway.spans import span_of
from tidings.kit.database import USE_SECONDS, Connection, Database
from tidings.kit.ids import now

FILES_SECONDS = 5.0
"""How long a caller may wait for attachments to be stored."""
BATCH_SECONDS = 10.0
"""How long work behind the scenes, which no caller waits for, may take in one go."""
DISPATCH_GRACE = timedelta(seconds=10)
"""How long the fast path has before the sweeper publishes a row as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRow:
    """A notification on its way into the table. `body` is `message` as the broker gets it.

    `replay_of`: the notification whose dead letter it replays. `send_at`: when it is due, unless at once.
    Of a request for several channels, `group_id` is the first one's id; a fallback waits for `fallback_of`
    until it is due, `fallback_unless` says for what, and `fallback_id` leads the other way. `schedule_id`:
    the recurring schedule that made it.
    """

    message: DeliveryMessage
    body: bytes
    owner: str
    headers: dict[str, str]
    replay_of: UUID | None = None
    send_at: datetime | None = None
    group_id: UUID | None = None
    fallback_of: UUID | None = None
    fallback_unless: str | None = None
    fallback_id: UUID | None = None
    schedule_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission(NewRow):
    """A valid request on its way into the table, as its first notification.

    `others` are those on other channels. The files go with the one that is an email. `dedupe`: its claim
    to be the only one with its business key.
    """

    key: str
    fingerprint: bytes
    files: tuple[KeptFile, ...] = ()
    others: tuple[NewRow, ...] = ()
    dedupe: Claim | None = None

    @property
    def rows(self) -> tuple[NewRow, ...]:
        """All notifications that it becomes."""
        return (self, *self.others)

    def kept_files(self) -> Iterator[tuple[UUID, KeptFile]]:
        """Each file with the id of the email that it goes with."""
        emails = (row.message for row in self.rows if row.message.channel is Channel.EMAIL)
        return ((email.notification_id, file) for email in emails for file in self.files)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the table holds for a key: our notification, or the one that was there before.

    `fresh`: no earlier request had the key. `deduplicated`: the notification is another request's, which
    had the business key.
    """

    notification_id: UUID
    request_id: str
    accepted_at: datetime
    fingerprint: bytes
    fresh: bool
    scheduled: bool = False
    deduplicated: bool = False

    @property
    def made(self) -> bool:
        """Whether the request made its notification, and not an earlier one."""
        return self.fresh and not self.deduplicated


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A committed notification that the broker does not have yet."""

    notification_id: UUID
    queue: str
    body: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, row: NewRow) -> "Dispatch":
        """What the broker gets of a row that was just committed."""
        message = row.message
        queue = work_queue(message.channel, message.priority)
        return cls(message.notification_id, queue, row.body, row.headers)


class GatewayStore:
    """Notifications on their way in and out, and idempotency keys, which are remembered for `lifetime`."""

    def __init__(self, database: Database, *, lifetime: timedelta = timedelta(hours=24)) -> None:
        self._database = database
        self.lifetime = lifetime

    async def accept(self, submissions: Sequence[Submission]) -> list[Receipt]:
        """Commit new notifications, each with its key and all that it becomes.

        A key that is taken gives its first receipt. The submissions' `(owner, key)` pairs must be distinct.
        A key older than `lifetime` is free again.
        """
        # The same order everywhere, so that two batches with common keys cannot deadlock.
        ordered = sorted(submissions, key=lambda submission: (submission.owner, submission.key))
        fresh = await self._take_at_once(ordered)
        rest = [one for one in ordered if one.message.notification_id not in fresh]
        earlier = await self._take_in_steps(rest) if rest else {}
        return [earlier.get((one.owner, one.key)) or _fresh_receipt(one) for one in submissions]

    async def _take_at_once(self, ordered: Sequence[Submission]) -> set[UUID]:
        """Commit in one statement those whose key is free; none where something has to be decided between."""
        if any(one.files or one.dedupe for one in ordered):
            return set()
        rows = [row for one in ordered for row in one.rows]
        keys = _key_columns(ordered, self.lifetime)
        async with self._database.connection() as connection:
            added = await connection.fetch(_TAKE, *_notification_columns(rows), *keys)
        return {row["id"] for row in added}

    async def _take_in_steps(self, ordered: Sequence[Submission]) -> dict[tuple[str, str], Receipt]:
        """Commit in one transaction; returns the receipts of those that came after another."""
        heavy = any(one.files for one in ordered)
        async with self._database.transaction(limit=FILES_SECONDS if heavy else USE_SECONDS) as connection:
            claimed = await connection.fetch(_CLAIM_KEYS, *_key_columns(ordered, self.lifetime))
            fresh = {row["notification_id"] for row in claimed}
            taken = [one for one in ordered if one.message.notification_id not in fresh]
            new = [one for one in ordered if one.message.notification_id in fresh]
            claims = [one.dedupe for one in new if one.dedupe]
            folded = await fold(connection, claims) if claims else {}
            made = [one for one in new if one.message.notification_id not in folded]
            await add_notifications(connection, [row for one in made for row in one.rows])
            if heavy:
                await add_files(connection, (pair for one in made for pair in one.kept_files()))
            late = [one for one in new if one.message.notification_id in folded]
            return await _earlier_receipts(connection, taken, late) if taken or late else {}

    async def receipts(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Receipt]:
        """What `(owner, key)` pairs were used for within `lifetime`, where they were."""
        owners, names = [owner for owner, _ in keys], [key for _, key in keys]
        async with self._database.connection() as connection:
            rows = await connection.fetch(_READ_KEYS + " where k.expires_at > $3", owners, names, now())
        return _by_key(rows)

    async def mark_queued(self, ids: Sequence[UUID], *, at: datetime) -> None:
        """The broker has them, which got them at that moment or soon after."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            await connection.execute(_MARK_QUEUED, *span_of(ids), at)

    async def due_priorities(self) -> list[Priority]:
        """Of which priorities there is something that should be published."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            rows = await connection.fetch(_DUE_PRIORITIES, now(), list(Priority))
        return [Priority(row["priority"]) for row in rows]

    async def lease_due(self, priority: Priority, *, limit: int, lease: timedelta) -> list[Dispatch]:
        """Committed notifications that should have been published; nobody else gets them for `lease`."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            rows = await connection.fetch(_LEASE_DUE, now(), now() + lease, limit, priority)
        return [Dispatch(row["id"], _queue_of(row), row["body"].encode(), row["headers"]) for row in rows]

    async def release(self, ids: Sequence[UUID], *, after: timedelta) -> None:
        """Give a lease back: they could not be published, and are due again soon."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            await connection.execute(_RELEASE, *span_of(ids), now() + after)

    async def drop_expired_keys(self, *, limit: int) -> int:
        """Delete idempotency keys, and business keys, whose time is over; returns how many of either."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            business_keys = await drop_expired(connection, limit=limit)
            return max(business_keys, len(await connection.fetch(_DROP_EXPIRED, now(), limit)))


async def add_notifications(connection: Connection, rows: Sequence[NewRow]) -> None:
    """Take notifications in the transaction of `connection`.

    Unless somebody publishes them, the sweeper does after 10 s.
    """
    await connection.execute(_INSERT_NOTIFICATIONS, *_notification_columns(rows))


def _queue_of(row: asyncpg.Record) -> str:
    return work_queue(Channel(row["channel"]), Priority(row["priority"]))


async def _earlier_receipts(
    connection: Connection, taken: Sequence[Submission], late: Sequence[Submission]
) -> dict[tuple[str, str], Receipt]:
    """Of requests whose key was `taken`, and of those that came too `late` for their business key."""
    both = [*taken, *late]
    rows = await connection.fetch(_READ_KEYS, [one.owner for one in both], [one.key for one in both])
    found = _by_key(rows)
    return found | {(one.owner, one.key): replace(found[one.owner, one.key], fresh=True) for one in late}


def _by_key(rows: Sequence[asyncpg.Record]) -> dict[tuple[str, str], Receipt]:
    return {(row["owner"], row["key"]): _earlier_receipt(row) for row in rows}


def _earlier_receipt(row: asyncpg.Record) -> Receipt:
    return Receipt(
        row["notification_id"],
        row["request_id"],
        row["accepted_at"],
        row["fingerprint"],
        fresh=False,
        scheduled=row["scheduled"],
        deduplicated=row["deduplicated"],
    )


def _fresh_receipt(one: Submission) -> Receipt:
    message = one.message
    return Receipt(
        message.notification_id,
        message.request_id,
        message.accepted_at,
        one.fingerprint,
        fresh=True,
        scheduled=one.send_at is not None,
    )


def _key_columns(submissions: Sequence[Submission], lifetime: timedelta) -> list[Any]:
    return [
        [one.owner for one in submissions],
        [one.key for one in submissions],
        [one.fingerprint for one in submissions],
        [one.message.notification_id for one in submissions],
        [one.message.accepted_at for one in submissions],
        [one.message.request_id for one in submissions],
        lifetime,
    ]


def _notification_columns(rows: Sequence[NewRow]) -> list[Any]:
    messages = [one.message for one in rows]
    return [
        [message.notification_id for message in messages],
        [one.owner for one in rows],
        [message.request_id for message in messages],
        [message.channel for message in messages],
        [message.user_id for message in messages],
        [message.template_id for message in messages],
        [one.body.decode() for one in rows],
        [one.headers for one in rows],
        [message.accepted_at for message in messages],
        [Status.SCHEDULED if one.send_at else Status.ACCEPTED for one in rows],
        [one.send_at or one.message.accepted_at + DISPATCH_GRACE for one in rows],
        *([getattr(one, name) for one in rows] for name in _LINKS),
    ]


_LINKS = (
    "replay_of",
    "send_at",
    "group_id",
    "fallback_of",
    "fallback_unless",
    "fallback_id",
    "schedule_id",
)


_CLAIM = """
insert into idempotency_keys as held
    (owner, key, fingerprint, notification_id, accepted_at, request_id, expires_at)
select owner, key, fingerprint, id, accepted_at, request_id, accepted_at + {6}::interval
from unnest({0}::text[], {1}::text[], {2}::bytea[], {3}::uuid[], {4}::timestamptz[], {5}::text[])
    as incoming (owner, key, fingerprint, id, accepted_at, request_id)
on conflict (owner, key) do update
    set fingerprint = excluded.fingerprint, notification_id = excluded.notification_id,
        accepted_at = excluded.accepted_at, request_id = excluded.request_id,
        expires_at = excluded.expires_at, deduplicated = false
    where held.expires_at <= excluded.accepted_at
returning notification_id
"""
_CLAIM_KEYS = _CLAIM.format(*(f"${number}" for number in range(1, 8)))
_READ_KEYS = """
select k.*, exists (
    select 1 from notifications n where n.id = k.notification_id and n.send_at is not null
) as scheduled
from idempotency_keys k join unnest($1::text[], $2::text[]) as wanted (owner, key) using (owner, key)
"""
_INSERT_NOTIFICATIONS = """
insert into notifications
    (id, owner, request_id, channel, user_id, template_id, message, headers,
     accepted_at, updated_at, status, dispatch_at,
     replay_of, send_at, group_id, fallback_of, fallback_unless, fallback_id, schedule_id)
select id, owner, request_id, channel, user_id, template_id, message::jsonb, headers,
     accepted_at, accepted_at, status, dispatch_at,
     replay_of, send_at, group_id, fallback_of, fallback_unless, fallback_id, schedule_id
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::jsonb[], $9::timestamptz[], $10::text[], $11::timestamptz[],
            $12::uuid[], $13::timestamptz[], $14::uuid[], $15::uuid[], $16::text[], $17::uuid[], $18::uuid[])
    as incoming (id, owner, request_id, channel, user_id, template_id, message, headers, accepted_at, status,
                 dispatch_at, replay_of, send_at, group_id, fallback_of, fallback_unless, fallback_id,
                 schedule_id)
"""
# Both in one statement, which spares the accept path three round trips. Of a request for several channels,
# the rows share the claim of the first.
_TAKE = f"""
with claimed as ({_CLAIM.format(*(f"${number}" for number in range(19, 26)))})
{_INSERT_NOTIFICATIONS}
where coalesce(group_id, id) in (select notification_id from claimed)
returning id
"""  # noqa: S608 - both parts are texts of ours
# Rows are locked in the order of their ids, as all do it who lock several: else two could deadlock.
# What a worker spoke of before is marked already, and does not change any more.
_MARK_QUEUED = """
with locked as (
    select id from notifications where id = any($1::uuid[]) and id between $2 and $3 order by id for update
)
update notifications n
set dispatch_at = null, queued_at = coalesce(n.queued_at, $4),
    status = case when n.status in ('accepted', 'scheduled') then 'queued' else n.status end,
    updated_at = case when n.queued_at is null then greatest(n.updated_at, $4) else n.updated_at end
from locked where n.id = locked.id and n.id between $2 and $3
"""
_DUE_PRIORITIES = """
select priority from unnest($2::text[]) as priorities (priority)
where exists (select from notifications where message ->> 'priority' = priority and dispatch_at <= $1)
"""
_LEASE_DUE = """
update notifications set dispatch_at = $2
where id in (
    select id from notifications where message ->> 'priority' = $4 and dispatch_at <= $1
    order by dispatch_at limit $3 for update skip locked
)
returning id, channel, message ->> 'priority' as priority, message::text as body, headers
"""
_RELEASE = """
with locked as (
    select id from notifications
    where id = any($1::uuid[]) and id between $2 and $3 and dispatch_at is not null order by id for update
)
update notifications n set dispatch_at = $4 from locked where n.id = locked.id and n.id between $2 and $3
"""
_DROP_EXPIRED = """
delete from idempotency_keys where ctid in (
    select ctid from idempotency_keys where expires_at <= $1 limit $2 for update skip locked
) returning 1
"""
