"""All SQL on the keys that sign access tokens, which every gateway shares."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tidings.kit.audit.store import record
from tidings.kit.database import Database


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A signing key; its private part is sealed."""

    id: str
    public_key: bytes
    sealed_private_key: bytes
    created_at: datetime


class SigningStore:
    """One key in use at a time, and those before it for as long as their tokens may live."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def in_use(self) -> StoredKey | None:
        """The key that signs; None before the first."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(f"{_READ} where retired_at is null")
        return None if row is None else StoredKey(**row)

    async def trusted(self, *, retired_after: datetime) -> list[StoredKey]:
        """The key in use and those retired after a moment, newest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_TRUSTED, retired_after)
        return [StoredKey(**row) for row in rows]

    async def replace(self, old: StoredKey | None, new: StoredKey, *, actor: str, keep: timedelta) -> bool:
        """Retire `old` and put `new` in use; False when another gateway did so first.

        Keys retired longer ago than `keep` are deleted.
        """
        async with self._database.transaction() as connection:
            if old is not None and await connection.fetchval(_RETIRE, old.id, new.created_at) is None:
                return False
            added = await connection.fetchval(
                _INSERT, new.id, new.public_key, new.sealed_private_key, new.created_at
            )
            if added is None:
                return False
            await connection.execute(_DROP, new.created_at - keep)
            detail = {"replaces": old.id if old else None}
            await record(connection, actor, "signing_key.created", new.id, detail)
        return True


_READ = "select id, public_key, sealed_private_key, created_at from signing_keys"
_TRUSTED = f"{_READ} where retired_at is null or retired_at > $1 order by created_at desc"
_RETIRE = "update signing_keys set retired_at = $2 where id = $1 and retired_at is null returning id"
# Before the first key several gateways may come to this at once; the index on the key in use lets one win.
_INSERT = """
insert into signing_keys (id, public_key, sealed_private_key, created_at) values ($1, $2, $3, $4)
on conflict do nothing returning id
"""
_DROP = "delete from signing_keys where retired_at < $1"
