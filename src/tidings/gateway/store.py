"""All SQL of the gateway."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from tidings.contracts.codes import Channel, Reason, Status
from tidings.contracts.messages import DeliveryMessage, StatusEvent
from tidings.contracts.notifications import Notification, TimelineEvent
from tidings.kit.database import Connection, Database
from tidings.kit.ids import now

IDEMPOTENCY_LIFETIME = timedelta(hours=24)
BATCH_SECONDS = 10.0
"""How long work behind the scenes, which no caller waits for, may take in one go."""
DISPATCH_GRACE = timedelta(seconds=10)
"""How long the fast path has before the sweeper publishes a row as well."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A valid request on its way into the table. `body` is `message` as the broker gets it."""

    message: DeliveryMessage
    body: bytes
    owner: str
    key: str
    fingerprint: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the table holds for a key: our notification, or the one that was there before."""

    notification_id: UUID
    request_id: str
    accepted_at: datetime
    fingerprint: bytes
    fresh: bool


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A committed notification that the broker does not have yet."""

    notification_id: UUID
    channel: Channel
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An API key without its secret."""

    id: UUID
    scopes: frozenset[str]


class GatewayStore:
    """Notifications, events, idempotency keys and API keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, submissions: Sequence[Submission]) -> list[Receipt]:
        """Commit new notifications in one transaction; a key that is taken gives its first receipt.

        The submissions' `(owner, key)` pairs must be distinct. A key older than 24 hours is free again.
        """
        # The same order everywhere, so that two batches with common keys cannot deadlock.
        ordered = sorted(submissions, key=lambda submission: (submission.owner, submission.key))
        async with self._database.transaction() as connection:
            claimed = await connection.fetch(_CLAIM_KEYS, *_key_columns(ordered))
            fresh = {row["notification_id"] for row in claimed}
            taken = [one for one in ordered if one.message.notification_id not in fresh]
            await connection.execute(
                _INSERT_NOTIFICATIONS,
                *_notification_columns([one for one in ordered if one.message.notification_id in fresh]),
            )
            earlier = await _earlier_receipts(connection, taken) if taken else {}
        return [
            _fresh_receipt(one) if one.message.notification_id in fresh else earlier[one.owner, one.key]
            for one in submissions
        ]

    async def receipt(self, owner: str, key: str) -> Receipt | None:
        """What a key of the last 24 hours was used for."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_READ_KEYS + " where k.expires_at > $3", [owner], [key], now())
        return None if row is None else _earlier_receipt(row)

    async def mark_queued(self, ids: Sequence[UUID]) -> None:
        """The broker has them."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            await connection.execute(_MARK_QUEUED, list(ids), now())

    async def lease_due(self, *, limit: int, lease: timedelta) -> list[Dispatch]:
        """Committed notifications that should have been published; nobody else gets them for `lease`."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            rows = await connection.fetch(_LEASE_DUE, now(), now() + lease, limit)
        return [
            Dispatch(row["id"], Channel(row["channel"]), row["body"].encode(), row["headers"]) for row in rows
        ]

    async def release(self, ids: Sequence[UUID], *, after: timedelta) -> None:
        """Give a lease back: they could not be published, and are due again soon."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            await connection.execute(_RELEASE, list(ids), now() + after)

    async def track(self, events: Sequence[StatusEvent]) -> None:
        """Write events into timelines and move states forward; repeating it is harmless."""
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            ids = sorted({event.notification_id for event in events})
            rows = await connection.fetch(_LOCK_STATES, ids)
            states = {row["id"]: Status(row["status"]) for row in rows}
            known = [event for event in events if event.notification_id in states]
            await connection.execute(_INSERT_EVENTS, *_event_columns(known))
            moves = _moves(states, known)
            if moves:
                columns = [[getattr(event, name) for event in moves] for name in _MOVE_FIELDS]
                await connection.execute(_MOVE_STATES, *columns, now())

    async def notification(self, notification_id: UUID) -> Notification | None:
        """A notification with its timeline."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_READ + " where id = $1", notification_id)
            if row is None:
                return None
            events = await connection.fetch(_READ_EVENTS, notification_id)
        return _notification(row, _timeline(row, events))

    async def page(self, *, request_id: str | None, before: UUID | None, limit: int) -> list[Notification]:
        """Notifications, newest first, without timelines."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_READ + _PAGE, request_id, before, limit)
        return [_notification(row, []) for row in rows]

    async def add_key(
        self, key_id: UUID, name: str, prefix: str, digest: bytes, scopes: Sequence[str]
    ) -> None:
        """Store an API key's digest; an equal one stays as it is."""
        async with self._database.connection() as connection:
            await connection.execute(_INSERT_KEY, key_id, name, prefix, digest, list(scopes))

    async def keys(self, digests: Sequence[bytes]) -> dict[bytes, KeyRow]:
        """The API keys with these digests, without those that are revoked."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_READ_API_KEYS, list(digests))
        return {row["digest"]: KeyRow(row["id"], frozenset(row["scopes"])) for row in rows}

    async def drop_expired_keys(self, *, limit: int) -> int:
        """Delete idempotency keys whose time is over; returns how many."""
        async with self._database.connection(limit=BATCH_SECONDS) as connection:
            return len(await connection.fetch(_DROP_EXPIRED, now(), limit))

    async def ping(self) -> None:
        """Raise unless PostgreSQL answers."""
        await self._database.ping()


async def _earlier_receipts(
    connection: Connection, taken: Sequence[Submission]
) -> dict[tuple[str, str], Receipt]:
    rows = await connection.fetch(_READ_KEYS, [one.owner for one in taken], [one.key for one in taken])
    return {(row["owner"], row["key"]): _earlier_receipt(row) for row in rows}


def _earlier_receipt(row: asyncpg.Record) -> Receipt:
    return Receipt(
        row["notification_id"], row["request_id"], row["accepted_at"], row["fingerprint"], fresh=False
    )


def _fresh_receipt(one: Submission) -> Receipt:
    message = one.message
    return Receipt(
        message.notification_id, message.request_id, message.accepted_at, one.fingerprint, fresh=True
    )


def _moves(states: dict[UUID, Status], events: Sequence[StatusEvent]) -> list[StatusEvent]:
    """For each notification the last of its events that moves its state forward."""
    last: dict[UUID, StatusEvent] = {}
    for event in sorted(events, key=lambda event: (event.attempt, event.at)):
        current = states[event.notification_id]
        # Within one state a later attempt still brings a newer reason.
        if current.can_become(event.status) or (current is event.status and not current.settled):
            states[event.notification_id] = event.status
            last[event.notification_id] = event
    return list(last.values())


def _key_columns(submissions: Sequence[Submission]) -> list[Any]:
    return [
        [one.owner for one in submissions],
        [one.key for one in submissions],
        [one.fingerprint for one in submissions],
        [one.message.notification_id for one in submissions],
        [one.message.accepted_at for one in submissions],
        [one.message.request_id for one in submissions],
        IDEMPOTENCY_LIFETIME,
    ]


def _notification_columns(submissions: Sequence[Submission]) -> list[Any]:
    messages = [one.message for one in submissions]
    return [
        [message.notification_id for message in messages],
        [one.owner for one in submissions],
        [message.request_id for message in messages],
        [message.channel for message in messages],
        [message.user_id for message in messages],
        [message.template_id for message in messages],
        [one.body.decode() for one in submissions],
        [one.headers for one in submissions],
        [message.accepted_at for message in messages],
        Status.ACCEPTED,
        DISPATCH_GRACE,
    ]


_EVENT_FIELDS = (
    "notification_id",
    "attempt",
    "status",
    "at",
    "reason",
    "detail",
    "provider",
    "provider_ref",
    "next_attempt_at",
)
_MOVE_FIELDS = ("notification_id", "status", "reason")


def _event_columns(events: Sequence[StatusEvent]) -> list[list[Any]]:
    return [[_storable(getattr(event, name)) for event in events] for name in _EVENT_FIELDS]


def _storable(value: object) -> object:
    # A provider's words may hold U+0000, which PostgreSQL's text cannot.
    return value.replace("\0", "") if isinstance(value, str) else value


def _notification(row: asyncpg.Record, timeline: list[TimelineEvent]) -> Notification:
    message = msgspec.convert(row["message"], DeliveryMessage)
    status = Status(row["status"])
    return Notification(
        id=row["id"],
        request_id=row["request_id"],
        channel=message.channel,
        user_id=message.user_id,
        template_id=message.template_id,
        template_version=message.template_version,
        priority=message.priority,
        locale=message.locale,
        metadata=message.metadata,
        status=status,
        settled=status.settled,
        reason=Reason(row["reason"]) if row["reason"] else None,
        accepted_at=row["accepted_at"],
        updated_at=row["updated_at"],
        expires_at=message.expires_at,
        timeline=timeline,
    )


def _timeline(row: asyncpg.Record, events: Sequence[asyncpg.Record]) -> list[TimelineEvent]:
    steps = [TimelineEvent(status=Status.ACCEPTED, at=row["accepted_at"])]
    if row["queued_at"] is not None:
        steps.append(TimelineEvent(status=Status.QUEUED, at=row["queued_at"]))
    steps += [msgspec.convert(dict(event), TimelineEvent) for event in events]
    return sorted(steps, key=lambda step: (step.attempt, step.at))


_CLAIM_KEYS = """
insert into idempotency_keys as held
    (owner, key, fingerprint, notification_id, accepted_at, request_id, expires_at)
select owner, key, fingerprint, id, accepted_at, request_id, accepted_at + $7::interval
from unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[], $5::timestamptz[], $6::text[])
    as incoming (owner, key, fingerprint, id, accepted_at, request_id)
on conflict (owner, key) do update
    set fingerprint = excluded.fingerprint, notification_id = excluded.notification_id,
        accepted_at = excluded.accepted_at, request_id = excluded.request_id,
        expires_at = excluded.expires_at
    where held.expires_at <= excluded.accepted_at
returning notification_id
"""
_READ_KEYS = """
select k.* from idempotency_keys k
join unnest($1::text[], $2::text[]) as wanted (owner, key) using (owner, key)
"""
_INSERT_NOTIFICATIONS = """
insert into notifications
    (id, owner, request_id, channel, user_id, template_id, message, headers,
     accepted_at, updated_at, status, dispatch_at)
select id, owner, request_id, channel, user_id, template_id, message::jsonb, headers,
     accepted_at, accepted_at, $10, accepted_at + $11::interval
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::jsonb[], $9::timestamptz[])
    as incoming (id, owner, request_id, channel, user_id, template_id, message, headers, accepted_at)
"""
_MARK_QUEUED = """
update notifications
set dispatch_at = null, queued_at = coalesce(queued_at, $2),
    status = case when status = 'accepted' then 'queued' else status end,
    updated_at = greatest(updated_at, $2)
where id = any($1::uuid[])
"""
_LEASE_DUE = """
update notifications set dispatch_at = $2
where id in (
    select id from notifications where dispatch_at <= $1
    order by dispatch_at limit $3 for update skip locked
)
returning id, channel, message::text as body, headers
"""
_RELEASE = "update notifications set dispatch_at = $2 where id = any($1::uuid[]) and dispatch_at is not null"
_LOCK_STATES = "select id, status from notifications where id = any($1::uuid[]) order by id for update"
_INSERT_EVENTS = """
insert into events
    (notification_id, attempt, status, at, reason, detail, provider, provider_ref, next_attempt_at)
select * from unnest($1::uuid[], $2::smallint[], $3::text[], $4::timestamptz[], $5::text[], $6::text[],
                     $7::text[], $8::text[], $9::timestamptz[])
on conflict do nothing
"""
_MOVE_STATES = """
update notifications n set status = moved.status, reason = moved.reason, updated_at = $4
from unnest($1::uuid[], $2::text[], $3::text[]) as moved (id, status, reason)
where n.id = moved.id
"""
_READ = """
select id, request_id, status, reason, message, accepted_at, queued_at, updated_at from notifications
"""
_READ_EVENTS = """
select attempt, status, at, reason, detail, provider, provider_ref, next_attempt_at
from events where notification_id = $1
"""
_PAGE = """
where ($1::text is null or request_id = $1) and ($2::uuid is null or id < $2)
order by id desc limit $3
"""
_INSERT_KEY = """
insert into api_keys (id, name, prefix, digest, scopes) values ($1, $2, $3, $4, $5)
on conflict (digest) do nothing
"""
_READ_API_KEYS = "select digest, id, scopes from api_keys where digest = any($1) and revoked_at is null"
_DROP_EXPIRED = """
delete from idempotency_keys where ctid in (
    select ctid from idempotency_keys where expires_at <= $1 limit $2
) returning 1
"""
