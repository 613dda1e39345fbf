"""Filling the gateway's table, as a year of use would."""

import asyncio
from time import perf_counter

import asyncpg

AT_ONCE = 2
PART = 250_000


async def fill(database_url: str, *, rows: int, first: int) -> float:
    """Add `rows` settled notifications of the last 80 days, beginning with number `first`; returns seconds.

    They share the partition of the new ones, which is the first of this installation: partitions only make
    it easier than that. Indexes are dropped meanwhile and built again, since ten million rows would take
    half an hour one by one.
    """
    began = perf_counter()
    pool = await asyncpg.create_pool(
        database_url,
        min_size=AT_ONCE,
        max_size=AT_ONCE,
        server_settings={
            "search_path": "gateway",
            "synchronous_commit": "off",
            "maintenance_work_mem": "512MB",
        },
    )
    async with pool:
        indexes = await pool.fetch(_INDEXES)
        for index in indexes:
            await pool.execute(f'drop index "{index["indexname"]}"')
        parts = range(first, first + rows, PART)
        await asyncio.gather(
            *(pool.execute(_FILL, part, min(part + PART, first + rows) - 1) for part in parts)
        )
        # On the whole table, and not on its parent alone, as PostgreSQL describes an index of partitions.
        building = [index["indexdef"].replace(" ON ONLY ", " ON ") for index in indexes]
        await asyncio.gather(*(pool.execute(statement) for statement in building))
        await pool.execute("vacuum analyze notifications")
        await pool.execute("checkpoint")
    return perf_counter() - began


_INDEXES = """
select indexname, indexdef from pg_indexes i
where schemaname = 'gateway' and tablename = 'notifications'
and not exists (
    select from pg_constraint c where c.conname = i.indexname and c.contype = 'p'
)
"""
_FILL = """
insert into notifications
    (id, owner, request_id, channel, user_id, template_id, status, message, headers,
     accepted_at, queued_at, updated_at)
select id, '01a00000-0000-7000-8000-000000000000', 'filled-' || n, 'email', 'person-' || n % 500000,
    'template-' || n % 40, case n % 50 when 0 then 'failed' else 'sent' end,
    jsonb_build_object(
        'schema', 1, 'notification_id', id, 'request_id', 'filled-' || n, 'channel', 'email',
        'user_id', 'person-' || n % 500000, 'template_id', 'template-' || n % 40, 'template_version', 1,
        'variables', jsonb_build_object('name', 'Ada Lovelace', 'order', n), 'locale', null,
        'priority', 'normal', 'metadata', '{}'::jsonb, 'accepted_at', at, 'sandbox', false
    ),
    '{}', at, at, at
from (
    select n, at, (
        lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || '7'
        || lpad(to_hex(n % 4096), 3, '0') || '8' || lpad(to_hex(n), 15, '0')
    )::uuid as id
    from (
        select n, now() - interval '1 minute' - (n * 7919 % 6912000) * interval '1 second' as at
        from generate_series($1::bigint, $2::bigint) n
    ) times
) filled
"""
