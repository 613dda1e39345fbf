"""API keys put straight into the table, as the operator of a later version will by command."""

import secrets
from hashlib import sha256

import asyncpg

from tidings.kit.ids import new_id


async def add_key(admin: asyncpg.Connection, *scopes: str) -> str:
    """A new key with these scopes."""
    key = f"tdg_live_{secrets.token_urlsafe(24)}"
    await admin.execute(
        "insert into api_keys (id, name, prefix, digest, scopes) values ($1, 'test', $2, $3, $4)",
        new_id(),
        key[:13],
        sha256(key.encode()).digest(),
        list(scopes),
    )
    return key
