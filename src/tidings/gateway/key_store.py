"""All SQL on API keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tidings.kit.database import Database


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An API key without its secret."""

    id: UUID
    scopes: frozenset[str]
    sandbox: bool


class KeyStore:
    """API keys by digest."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, key_id: UUID, name: str, prefix: str, digest: bytes, scopes: Sequence[str], *, sandbox: bool
    ) -> None:
        """Store an API key's digest; an equal one stays as it is."""
        async with self._database.connection() as connection:
            await connection.execute(_INSERT, key_id, name, prefix, digest, list(scopes), sandbox)

    async def keys(self, digests: Sequence[bytes]) -> dict[bytes, KeyRow]:
        """The API keys with these digests, without those that are revoked."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_READ, list(digests))
        return {row["digest"]: KeyRow(row["id"], frozenset(row["scopes"]), row["sandbox"]) for row in rows}


_INSERT = """
insert into api_keys (id, name, prefix, digest, scopes, sandbox) values ($1, $2, $3, $4, $5, $6)
on conflict (digest) do nothing
"""
_READ = "select digest, id, scopes, sandbox from api_keys where digest = any($1) and revoked_at is null"
