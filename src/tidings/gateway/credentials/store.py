"""All SQL on API keys. What changes a key writes its audit entry in the same transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from uuid import UUID

import asyncpg

from tidings.contracts.keys import ApiKey
from tidings.contracts.scopes import ROLE_SCOPES, Role, Scope
from tidings.gateway.credentials.secrets import Secret
from tidings.kit.audit.store import record
from tidings.kit.database import Connection, Database
from tidings.kit.ids import now


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose key it is, and until when: of a secret that was replaced, the end of its overlap."""

    id: UUID
    scopes: frozenset[str]
    sandbox: bool
    ends_at: datetime | None


class Revocation(Enum):
    """How an attempt to revoke a key ended."""

    DONE = auto()
    UNKNOWN = auto()
    LAST = auto()


class KeyStore:
    """API keys: checked by digest, managed by id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def holders(self, digests: Sequence[bytes]) -> dict[bytes, Holder]:
        """The keys with these digests, without those that are revoked or have expired."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_HOLDERS, list(digests), now())
        return {row["digest"]: _holder(row) for row in rows}

    async def holders_by_id(self, ids: Sequence[UUID]) -> dict[UUID, Holder]:
        """The keys with these ids, without those that are revoked or have expired."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_HOLDERS_BY_ID, list(ids), now())
        return {row["id"]: _holder(row) for row in rows}

    async def note_uses(self, uses: Mapping[UUID, datetime]) -> None:
        """Store when keys were last used, where that is later than what is stored."""
        async with self._database.connection() as connection:
            await connection.execute(_NOTE_USES, list(uses), list(uses.values()))

    async def add_first(self, key_id: UUID, secret: Secret) -> None:
        """Store a key with every scope, unless its secret is, or was, a key's already."""
        async with self._database.connection() as connection:
            await connection.execute(
                _INSERT_FIRST, key_id, secret.prefix, secret.digest, [Scope.EVERYTHING], secret.sandbox, now()
            )

    async def add(self, key: ApiKey, secret: Secret, *, actor: str) -> None:
        """Store a new key."""
        async with self._database.transaction() as connection:
            await connection.execute(
                _INSERT,
                key.id,
                key.name,
                secret.prefix,
                secret.digest,
                [] if key.role else key.scopes,
                key.role,
                secret.sandbox,
                key.created_at,
                key.expires_at,
            )
            detail = {"name": key.name, "scopes": key.scopes, "role": key.role, "mode": key.mode}
            await record(connection, actor, "api_key.created", str(key.id), detail)

    async def key(self, key_id: UUID) -> ApiKey | None:
        """One key, also when it has ended."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(f"{_READ} where id = $1", key_id)
        return None if row is None else _key(row)

    async def page(self, *, before: UUID | None, limit: int) -> list[ApiKey]:
        """Keys, newest first, from the one after `before` on."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_PAGE, before, limit)
        return [_key(row) for row in rows]

    async def replace_secret(
        self, key_id: UUID, secret: Secret, *, until: datetime, actor: str
    ) -> ApiKey | None:
        """Give a key another secret. Its older ones are good until `until` and no longer than they were.

        None: there is no such key, or it has ended.
        """
        async with self._database.transaction() as connection:
            old = await connection.fetchval(_LOCK, key_id, now())
            if old is None:
                return None
            await connection.execute(_SHORTEN_REPLACED, key_id, until)
            await connection.execute(_KEEP_REPLACED, old, key_id, until)
            row = await connection.fetchrow(_REPLACE, key_id, secret.digest, secret.prefix)
            detail = {"prefix": secret.prefix, "old_secret_until": until}
            await record(connection, actor, "api_key.rotated", str(key_id), detail)
        return None if row is None else _key(row)

    async def revoke(self, key_id: UUID, *, actor: str, even_last: bool) -> Revocation:
        """End a key, unless nobody could make keys without it. To revoke twice is no error."""
        async with self._database.transaction() as connection:
            # Two callers that revoke the last two keys at once must not both see another one.
            await connection.execute("lock table api_keys in share row exclusive mode")
            row = await connection.fetchrow(f"{_READ} where id = $1", key_id)
            if row is None:
                return Revocation.UNKNOWN
            if not even_last and await _is_last(connection, _key(row)):
                return Revocation.LAST
            revoked = await connection.fetchval(_REVOKE, key_id, now())
            if revoked is not None:
                await record(connection, actor, "api_key.revoked", str(key_id), {"name": row["name"]})
        return Revocation.DONE


async def _is_last(connection: Connection, key: ApiKey) -> bool:
    if key.revoked_at is not None or key.mode == "test" or not _MANAGING & set(key.scopes):
        return False
    others = await connection.fetchval(_OTHER_MANAGERS, key.id, list(_MANAGING), _MANAGING_ROLES, now())
    return int(others) == 0


def _holder(row: asyncpg.Record) -> Holder:
    return Holder(row["id"], frozenset(_scopes(row)), row["sandbox"], row["ends_at"])


def _key(row: asyncpg.Record) -> ApiKey:
    return ApiKey(
        id=row["id"],
        name=row["name"],
        prefix=row["prefix"],
        scopes=_scopes(row),
        role=Role(row["role"]) if row["role"] else None,
        mode="test" if row["sandbox"] else "live",
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )


def _scopes(row: asyncpg.Record) -> list[str]:
    return sorted(ROLE_SCOPES[Role(row["role"])]) if row["role"] else sorted(row["scopes"])


_MANAGING = frozenset({Scope.EVERYTHING, Scope.API_KEYS_WRITE})
_MANAGING_ROLES = [role for role, scopes in ROLE_SCOPES.items() if scopes & _MANAGING]

# A lookup by digest needs no comparison in constant time: what its duration tells of a stored digest does
# not lead to a text with that digest.
_HOLDERS = """
select shown.digest, k.id, k.scopes, k.role, k.sandbox, least(k.expires_at, shown.valid_until) as ends_at
from (
    select digest, id as key_id, null::timestamptz as valid_until from api_keys where digest = any($1)
    union all
    select digest, key_id, valid_until from replaced_secrets where digest = any($1) and valid_until > $2
) as shown
join api_keys k on k.id = shown.key_id
where k.revoked_at is null and (k.expires_at is null or k.expires_at > $2)
"""
_HOLDERS_BY_ID = """
select id, scopes, role, sandbox, expires_at as ends_at from api_keys
where id = any($1) and revoked_at is null and (expires_at is null or expires_at > $2)
"""
_NOTE_USES = """
update api_keys set last_used_at = used.at
from unnest($1::uuid[], $2::timestamptz[]) as used (id, at)
where api_keys.id = used.id and (last_used_at is null or last_used_at < used.at)
"""
_INSERT_FIRST = """
insert into api_keys (id, name, prefix, digest, scopes, sandbox, created_at)
select $1, 'bootstrap', $2, $3, $4, $5, $6
where not exists (select from replaced_secrets where digest = $3)
on conflict (digest) do nothing
"""
_INSERT = """
insert into api_keys (id, name, prefix, digest, scopes, role, sandbox, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_READ = """
select id, name, prefix, scopes, role, sandbox, created_at, last_used_at, expires_at, revoked_at from api_keys
"""
_PAGE = f"{_READ} where $1::uuid is null or id < $1 order by id desc limit $2"
_LOCK = """
select digest from api_keys
where id = $1 and revoked_at is null and (expires_at is null or expires_at > $2) for update
"""
_SHORTEN_REPLACED = """
update replaced_secrets set valid_until = least(valid_until, $2) where key_id = $1
"""
_KEEP_REPLACED = "insert into replaced_secrets (digest, key_id, valid_until) values ($1, $2, $3)"
_REPLACE = """
update api_keys set digest = $2, prefix = $3 where id = $1
returning id, name, prefix, scopes, role, sandbox, created_at, last_used_at, expires_at, revoked_at
"""
_REVOKE = "update api_keys set revoked_at = $2 where id = $1 and revoked_at is null returning id"
_OTHER_MANAGERS = """
select count(*) from api_keys
where id <> $1 and not sandbox and revoked_at is null and (expires_at is null or expires_at > $4)
  and (scopes && $2 or role = any($3))
"""
