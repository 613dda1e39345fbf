"""All SQL that writes events down for endpoints, in the transaction of what happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from tidings.contracts.callbacks import EventType
from tidings.gateway.spans import span_of
from tidings.kit.database import Connection
from tidings.kit.ids import now


@dataclass(frozen=True, slots=True)
class Posting:
    """One event for one endpoint. Both ids together are unique: a second one changes nothing."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    type: EventType
    notification_id: UUID | None
    body: bytes


async def notifications(
    connection: Connection, ids: Sequence[UUID], owners: Sequence[str]
) -> dict[UUID, asyncpg.Record]:
    """What callbacks tell of notifications, as far as they are of these owners."""
    rows = await connection.fetch(_NOTIFICATIONS, *span_of(ids), list(owners))
    return {row["id"]: row for row in rows}


async def next_numbers(connection: Connection, count: int) -> list[int]:
    """So many numbers, each greater than all before."""
    return [row["number"] for row in await connection.fetch(_NUMBERS, count)]


async def add(connection: Connection, postings: Sequence[Posting]) -> None:
    """Write events down: due now for endpoints that are active, missed for those that are not."""
    columns = [[getattr(one, name) for one in postings] for name in Posting.__slots__]
    await connection.execute(_INSERT, *columns, now())


async def listeners(connection: Connection, owner: str, event: EventType, *, without: UUID) -> list[UUID]:
    """The owner's other endpoints that are active and chose this event."""
    rows = await connection.fetch(_LISTENERS, owner, without, [EventType.EVERY, event])
    return [row["id"] for row in rows]


async def drop_older(connection: Connection, moment: datetime, *, limit: int) -> int:
    """Delete what was written down before; returns how many."""
    return len(await connection.fetch(_DROP, moment, limit))


_NOTIFICATIONS = """
select id, owner, request_id, channel, user_id, template_id, status, reason, accepted_at,
    (message->>'template_version')::int as template_version,
    coalesce((message->>'sandbox')::boolean, false) as sandbox,
    coalesce(message->'metadata', '{}') as metadata
from notifications where id = any($1::uuid[]) and id between $2 and $3 and owner = any($4::text[])
"""
_NUMBERS = "select nextval('callback_sequence') as number from generate_series(1, $1::int)"
_INSERT = """
insert into callback_deliveries
    (id, endpoint_id, event_id, type, notification_id, body, status, created_at, due_at)
select n.id, n.endpoint_id, n.event_id, n.type, n.notification_id, n.body,
    case when e.status = 'active' then 'pending' else 'missed' end, $7,
    case when e.status = 'active' then $7::timestamptz end
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::bytea[])
    as n (id, endpoint_id, event_id, type, notification_id, body)
join callback_endpoints e on e.id = n.endpoint_id
on conflict (endpoint_id, event_id) do nothing
"""
_LISTENERS = """
select id from callback_endpoints
where owner = $1 and id <> $2 and status = 'active' and events && $3::text[]
"""
_DROP = """
delete from callback_deliveries where id in (
    select id from callback_deliveries where created_at < $1 limit $2
) returning 1
"""
