"""The table that is the broker. It is made when the broker is first used."""

from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

_LOCK = 0x7469_6469_6E67_73  # "tidings": any number that nobody else locks

# The schema exists already where the role may not create one, and `IF NOT EXISTS` would still be refused.
_SCHEMA = """
DO $$ BEGIN
    IF to_regnamespace('broker') IS NULL THEN CREATE SCHEMA broker; END IF;
END $$;

CREATE TABLE IF NOT EXISTS broker.message (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue        text NOT NULL,
    id           text NOT NULL,
    body         bytea NOT NULL,
    headers      json NOT NULL,
    attempt      integer NOT NULL DEFAULT 1,
    hand_outs    integer NOT NULL DEFAULT 0,
    available_at timestamptz NOT NULL DEFAULT now(),
    owner        bigint,
    leased_until timestamptz
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

COMMENT ON COLUMN broker.message.hand_outs IS 'since it was last settled';
COMMENT ON COLUMN broker.message.owner IS 'advisory lock that the consumer holds while it lives';

CREATE INDEX IF NOT EXISTS message_waiting ON broker.message (queue, available_at, seq) WHERE owner IS NULL;
CREATE INDEX IF NOT EXISTS message_leased ON broker.message (queue) WHERE owner IS NOT NULL;
"""


async def ensure_schema(connection: Connection) -> None:
    """Create what is missing, once among all processes that start together."""
    if await connection.fetchval("SELECT to_regclass('broker.message_leased') IS NOT NULL"):
        return
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(_SCHEMA)
