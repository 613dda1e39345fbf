"""The SQL of people. The user service's database role sees the schema `users` only."""

from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

import asyncpg
import msgspec

from tidings.contracts.users import NewUser, User, UserExport, UserPatch
from tidings.kit.audit.store import record
from tidings.kit.database import Connection, Database
from tidings.kit.errors import Conflict, FieldFault, Gone, NotFound
from tidings.kit.ids import new_id, now
from tidings.users.erasures.store import add_erasure
from tidings.users.people.merge_patch import merged

Forget = Callable[[Collection[UUID]], Awaitable[None]]

# `registered_at` is when a device was last heard of: its app registers again at every start.
DEVICE_AS_JSON = """
    json_build_object(
        'id', id, 'provider', provider, 'token', token, 'subscription', subscription, 'platform', platform,
        'locale', locale, 'time_zone', time_zone, 'created_at', created_at, 'last_seen', registered_at
    )
"""

_USER = f"""
    users.*, coalesce(
        (select json_agg({DEVICE_AS_JSON} order by id) from push_tokens where user_id = users.id), '[]'
    ) as tokens
"""  # noqa: S608 - constants of ours

_SET_FIELDS = """
    (external_id, name, email, locale, time_zone, attributes, updated_at) = ($2, $3, $4, $5, $6, $7, now())
"""

ADD_USER = """
    insert into users (id, external_id, name, email, locale, time_zone, attributes)
    values ($1, $2, $3, $4, $5, $6, $7)
"""

PUT_USER = f"{ADD_USER} on conflict (external_id) do update set {_SET_FIELDS} returning id"

SELECT_USER = f"select {_USER} from users where id = $1"  # noqa: S608 - the same

LOCK_USER = "select * from users where id = $1 for no key update"

UPDATE_USER = f"update users set {_SET_FIELDS} where id = $1"  # noqa: S608 - the same

ERASE_USER = """
    update users set
        external_id = null, name = null, email = null, locale = null, time_zone = null,
        attributes = '{}', preferences = '{}', erased_at = now(), updated_at = now()
    where id = $1
"""
ERASE_DEVICES = "delete from push_tokens where user_id = $1"
ERASE_REMOVED_DEVICES = "delete from removed_push_tokens where user_id = $1"

SELECT_PAGE = f"select {_USER} from users where %s order by created_at desc, id desc limit $1"  # noqa: S608 - the same

SELECT_REMOVED_DEVICES = """
    select id, provider, token, platform, reason, created_at, removed_at
    from removed_push_tokens where user_id = $1 order by removed_at, id
"""

SELECT_SUPPRESSIONS = """
    select * from suppressions where lower(email) = lower($1) or token_sha256 = any($2)
    order by created_at, id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery:
    """Which people a page shows. Times are from (inclusive) and to (exclusive).

    `after` is where the page before ended: the last person's `created_at` and id.
    """

    email: str | None = None
    locale: str | None = None
    external_id: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    after: tuple[datetime, UUID] | None = None
    limit: int


class UserStore:
    """People.

    Whatever changes a contact calls `forget` with the ids just before it commits, so that not
    even a crash between the two leaves a cache with what was true before.
    """

    def __init__(self, database: Database, forget: Forget) -> None:
        self._database = database
        self._forget = forget

    async def add_user(self, new: NewUser, *, actor: str) -> User:
        """Store a person; the fields are taken as they are.

        Raises:
            Conflict: another user has this external id.
        """
        user_id = new_id()
        with _one_owner(new.external_id):
            async with self._database.transaction() as connection:
                await connection.execute(ADD_USER, user_id, *_columns(new))
                await record(connection, actor, "user.created", str(user_id), {"fields": _given(new)})
                return await _read(connection, user_id)

    async def put_user(self, new: NewUser, *, actor: str) -> tuple[User, bool]:
        """Store a person, or replace the fields of the one with this external id; also says if it is new.

        Preferences and devices stay.
        """
        proposed = new_id()
        async with self._database.transaction() as connection:
            stored: UUID = await connection.fetchval(PUT_USER, proposed, *_columns(new))
            if stored != proposed:
                await self._forget([stored])
            action = "user.created" if stored == proposed else "user.replaced"
            await record(connection, actor, action, str(stored), {"fields": _given(new)})
            return await _read(connection, stored), stored == proposed

    async def user(self, user_id: UUID) -> User:
        """A person with preferences and devices; of an erased one, what is left.

        Raises:
            NotFound: there is no such user.
        """
        async with self._database.connection() as connection:
            return await _read(connection, user_id)

    async def page(self, query: PageQuery) -> list[User]:
        """People, newest first, without the erased."""
        wanted = {
            "lower(email) = lower(${})": query.email,
            "locale = ${}": query.locale,
            "external_id = ${}": query.external_id,
            "created_at >= ${}": query.created_from,
            "created_at < ${}": query.created_to,
            "(created_at, id) < (${}, ${})": query.after,
        }
        conditions = ["erased_at is null"]
        values: list[object] = [query.limit]
        # Only the conditions asked for: a statement for all of them would have a plan for none.
        for condition, value in wanted.items():
            if value is not None:
                operands = value if isinstance(value, tuple) else (value,)
                conditions.append(condition.format(*range(len(values) + 1, len(values) + 1 + len(operands))))
                values += operands
        async with self._database.connection() as connection:
            rows = await connection.fetch(SELECT_PAGE % " and ".join(conditions), *values)
        return [msgspec.convert(dict(row), User) for row in rows]

    async def change_user(self, user_id: UUID, patch: UserPatch, *, actor: str) -> User:
        """Change a person; the patch's fields are taken as they are.

        Raises:
            NotFound: there is no such user.
            Gone: the user is erased.
            Conflict: another user has this external id.
        """
        given = {name: getattr(patch, name) for name in patch.__struct_fields__}
        given = {name: value for name, value in given.items() if value is not msgspec.UNSET}
        with _one_owner(given.get("external_id")):
            async with self._database.transaction() as connection:
                row = await lock_user(connection, user_id)
                given["attributes"] = merged(row["attributes"], given.get("attributes", {}))
                fields = NewUser(**{name: given.get(name, row[name]) for name in NewUser.__struct_fields__})
                await connection.execute(UPDATE_USER, user_id, *_columns(fields))
                changed = [name for name in given if given[name] != row[name]]
                if changed:
                    await record(connection, actor, "user.changed", str(user_id), {"fields": changed})
                await self._forget([user_id])
                return await _read(connection, user_id)

    async def erase_user(self, user_id: UUID, *, actor: str) -> None:
        """Erase all that is personal, and leave the id with `erased_at`. Twice is no error.

        The suppression list keeps the address: whoever imports it again must not write to it.

        Raises:
            NotFound: there was never such a user.
        """
        async with self._database.transaction() as connection:
            try:
                await lock_user(connection, user_id)
            except Gone:
                return
            for statement in (ERASE_USER, ERASE_DEVICES, ERASE_REMOVED_DEVICES):
                await connection.execute(statement, user_id)
            await record(connection, actor, "user.erased", str(user_id))
            await self._forget([user_id])
            await add_erasure(connection, user_id)

    async def export_user(self, user_id: UUID) -> UserExport:
        """All that is known of a person.

        Raises:
            NotFound: there is no such user.
        """
        async with self._database.transaction() as connection:
            user = await _read(connection, user_id)
            removed = [dict(row) for row in await connection.fetch(SELECT_REMOVED_DEVICES, user_id)]
            tokens = [*(token.token for token in user.tokens), *(row["token"] for row in removed)]
            digests = [sha256(token.encode()).digest() for token in tokens]
            suppressions = await connection.fetch(SELECT_SUPPRESSIONS, user.email, digests)
        found = {
            "user": user,
            "removed_tokens": removed,
            "suppressions": [dict(row) for row in suppressions],
            "exported_at": now(),
        }
        return msgspec.convert(found, UserExport)


async def lock_user(connection: Connection, user_id: UUID) -> asyncpg.Record:
    """The row of a person, who nobody else changes or erases until this transaction ends.

    Raises:
        NotFound: there is no such user.
        Gone: the user is erased.
    """
    row = await connection.fetchrow(LOCK_USER, user_id)
    if row is None:
        raise unknown_user(user_id)
    if row["erased_at"] is not None:
        raise erased_user(user_id)
    return row


def unknown_user(user_id: object) -> NotFound:
    """The error for an id that no user has."""
    return NotFound(f"There is no user with the id {user_id}", code="unknown_user")


def erased_user(user_id: object) -> Gone:
    """The error for a user who is erased and so can be neither reached nor changed."""
    return Gone(f"The user {user_id} was erased; nothing can be sent or stored", code="erased_user")


async def _read(connection: Connection, user_id: UUID) -> User:
    row = await connection.fetchrow(SELECT_USER, user_id)
    if row is None:
        raise unknown_user(user_id)
    return msgspec.convert(dict(row), User)


def _given(new: NewUser) -> list[str]:
    """The names of the fields that hold something: an audit log outlives the person it is about."""
    return [name for name, value in msgspec.structs.asdict(new).items() if value]


def _columns(new: NewUser) -> tuple[object, ...]:
    return new.external_id, new.name, new.email, new.locale, new.time_zone, new.attributes


@contextmanager
def _one_owner(external_id: str | None) -> Iterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        fault = FieldFault(field="$.external_id", message="Another user has this external id")
        raise Conflict(
            f"There is a user with the external id {external_id!r} already",
            code="external_id_taken",
            errors=[fault],
        ) from error
