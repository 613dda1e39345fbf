"""All SQL about the suppression list."""

from collections.abc import Sequence
from hashlib import sha256
from uuid import UUID

import asyncpg
import msgspec

from tidings.contracts.users import NewSuppression, Suppression, SuppressionReason
from tidings.kit.audit.entries import Deed
from tidings.kit.audit.store import record_all
from tidings.kit.database import Database
from tidings.kit.ids import new_id, now
from tidings.users.people.store import Forget
from tidings.users.suppressions.rules import PRESUMED_DEAD

_FIELDS = "id, email, token, reason, source, created_at, expires_at"

# What has expired is as good as gone: the new entry takes its place. Of two that hold, the longer counts.
_ADD = f"""
    insert into suppressions as held ({_FIELDS}, token_sha256)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (%s) do update set
        id = case when held.expires_at <= $6 then excluded.id else held.id end,
        source = case when held.expires_at <= $6 then excluded.source else held.source end,
        created_at = case when held.expires_at <= $6 then excluded.created_at else held.created_at end,
        expires_at = case
            when held.expires_at is null or excluded.expires_at is null then null
            else greatest(held.expires_at, excluded.expires_at)
        end
    returning {_FIELDS}
"""  # noqa: S608 - constants of ours
_ADD_EMAIL = _ADD % "lower(email), reason"
_ADD_TOKEN = _ADD % "token_sha256, reason"

_PAGE = f"select {_FIELDS} from suppressions where %s order by id desc limit $1"  # noqa: S608 - the same
_AMONG = """
    select asked.email from unnest($1::text[]) as asked (email)
    where exists (
        select from suppressions held
        where lower(held.email) = lower(asked.email) and (held.expires_at is null or held.expires_at > $2)
    )
"""
_USERS_OF = """
    select users.id from unnest($1::text[]) as held (email)
    join users on lower(users.email) = lower(held.email) and erased_at is null
    union
    select user_id from push_tokens where token_sha256 = any($2::bytea[])
"""
_REMOVE = "delete from suppressions where {} returning id, email, token_sha256, reason"
_REMOVE_ONE = _REMOVE.format("id = $1")
_CLEAR = _REMOVE.format("lower(email) = lower($1) and reason = any($2)")


class SuppressionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are wanted; without anything, all that have not expired."""

    email: str | None = None
    token: str | None = None
    reason: SuppressionReason | None = None
    expired: bool = False


class SuppressionStore:
    """Addresses that must not be written to.

    Whatever changes the list calls `forget` with the users it touches just before it commits, so that
    no cached contact is behind it.
    """

    def __init__(self, database: Database, forget: Forget) -> None:
        self._database = database
        self._forget = forget

    async def add(self, new: NewSuppression, *, actor: str) -> tuple[Suppression, bool]:
        """Add a checked entry; also says whether it is new.

        The same address and reason again keeps the entry there is, with the later of both expiries.
        """
        proposed, digest = new_id(), None if new.token is None else _digest(new.token)
        statement = _ADD_EMAIL if new.token is None else _ADD_TOKEN
        fields = (new.email, new.token, new.reason, new.source, now(), new.expires_at)
        async with self._database.transaction() as connection:
            (row,) = await connection.fetch(statement, proposed, *fields, digest)
            action = "suppression.added" if row["id"] == proposed else "suppression.extended"
            await record_all(connection, actor, [_deed(action, row)])
            touched = await connection.fetch(_USERS_OF, [new.email], [digest])
            await self._forget([user["id"] for user in touched])
        return _suppression(row), row["id"] == proposed

    async def page(
        self, wanted: SuppressionFilter, *, before: UUID | None = None, limit: int
    ) -> list[Suppression]:
        """Entries, newest first, from the one that follows `before`."""
        statement, values = _page(wanted, before, limit)
        async with self._database.connection() as connection:
            rows = await connection.fetch(statement, *values)
        return [_suppression(row) for row in rows]

    async def among(self, emails: Sequence[str]) -> list[str]:
        """Those of the addresses that are on the list now, in whatever case they were given."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_AMONG, list(emails), now())
        return [row["email"] for row in rows]

    async def remove(self, suppression_id: UUID, *, actor: str) -> None:
        """Take an entry off the list; one that is not there stays away."""
        await self._take_off(actor, _REMOVE_ONE, suppression_id)

    async def clear_presumed_dead(self, email: str, *, actor: str) -> None:
        """Take off what a message that arrived disproves: hard bounces and invalid addresses."""
        await self._take_off(actor, _CLEAR, email, list(PRESUMED_DEAD))

    async def _take_off(self, actor: str, statement: str, *values: object) -> None:
        async with self._database.transaction() as connection:
            gone = await connection.fetch(statement, *values)
            if gone:
                await record_all(connection, actor, [_deed("suppression.removed", row) for row in gone])
                emails, digests = ([row[name] for row in gone] for name in ("email", "token_sha256"))
                touched = await connection.fetch(_USERS_OF, emails, digests)
                await self._forget([user["id"] for user in touched])


def _page(wanted: SuppressionFilter, before: UUID | None, limit: int) -> tuple[str, list[object]]:
    """The statement has only the conditions asked for, so that each has its index."""
    asked = {
        "lower(email) = lower({})": wanted.email,
        "token_sha256 = {}": None if wanted.token is None else _digest(wanted.token),
        "reason = {}": wanted.reason,
        "id < {}": before,
        "(expires_at is null or expires_at > {})": None if wanted.expired else now(),
    }
    given = {condition: value for condition, value in asked.items() if value is not None}
    conditions = [condition.format(f"${number}") for number, condition in enumerate(given, start=2)]
    return _PAGE % " and ".join(["true", *conditions]), [limit, *given.values()]


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _deed(action: str, row: asyncpg.Record) -> Deed:
    detail = {"reason": row["reason"], "of": "token" if row["email"] is None else "email"}
    return Deed(action=action, subject=str(row["id"]), detail=detail)


def _suppression(row: asyncpg.Record) -> Suppression:
    return msgspec.convert(dict(row), Suppression)
