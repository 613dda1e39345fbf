"""All SQL of the user service. Its database role sees the schema `users` only."""

from collections.abc import Awaitable, Callable, Collection
from hashlib import sha256
from uuid import UUID

import asyncpg
import msgspec

from tidings.contracts.http import ChannelPreferences, Contact, NewPushToken, NewUser, PushToken, User
from tidings.kit.database import Database
from tidings.kit.errors import Conflict, FieldFault, NotFound
from tidings.kit.ids import new_id

REASON_CHARACTERS = 200

Forget = Callable[[Collection[UUID]], Awaitable[None]]

_TOKENS = """
    coalesce((
        select jsonb_agg(
            jsonb_build_object(
                'id', id, 'provider', provider, 'token', token, 'platform', platform, 'created_at', created_at
            ) order by id
        )
        from push_tokens where user_id = users.id
    ), '[]') as tokens
"""

ADD_USER = """
    insert into users (id, external_id, name, email, locale, time_zone, attributes)
    values ($1, $2, $3, $4, $5, $6, $7)
    returning *
"""

SELECT_USER = f"select *, {_TOKENS} from users where id = $1"  # noqa: S608 - a constant of ours

SELECT_CONTACTS = f"""
    select id as user_id, email, name, locale, time_zone, preferences, {_TOKENS}
    from users where id = any($1)
"""  # noqa: S608 - the same

UPDATE_PREFERENCES = """
    update users set preferences = $2, updated_at = now() where id = $1 returning preferences
"""

# One statement, so that of two owners who register a token at once each sees the other or neither:
# `moved_from` carries the owner that lost it out of the very update that took it away.
REGISTER_DEVICE = """
    insert into push_tokens as kept (id, user_id, provider, token, token_sha256, platform)
    values ($1, $2, $3, $4, $5, $6)
    on conflict (provider, token_sha256) do update set
        user_id = excluded.user_id,
        platform = coalesce(excluded.platform, kept.platform),
        moved_from = case when kept.user_id = excluded.user_id then kept.moved_from else kept.user_id end,
        registered_at = now()
    returning id, provider, token, platform, created_at, moved_from
"""

REMOVE_DEVICE = """
    with gone as (delete from push_tokens where user_id = $1 and id = $2 returning *)
    insert into removed_push_tokens (id, user_id, provider, token, platform, reason, created_at)
    select id, user_id, provider, token, platform, $3, created_at from gone
"""


class UserStore:
    """People and their devices.

    Whatever changes a contact calls `forget` with the ids just before it commits, so that not
    even a crash between the two leaves a cache with what was true before.
    """

    def __init__(self, database: Database, forget: Forget) -> None:
        self._database = database
        self._forget = forget

    async def add_user(self, new: NewUser) -> User:
        """Store a person; email and time zone are taken as they are.

        Raises:
            Conflict: another user has this external id.
        """
        fields = (new.external_id, new.name, new.email, new.locale, new.time_zone, new.attributes)
        try:
            async with self._database.connection() as connection:
                (row,) = await connection.fetch(ADD_USER, new_id(), *fields)
        except asyncpg.UniqueViolationError as error:
            fault = FieldFault(field="$.external_id", message="Another user has this external id")
            raise Conflict(
                f"There is a user with the external id {new.external_id!r} already",
                code="external_id_taken",
                errors=[fault],
            ) from error
        return msgspec.convert(dict(row), User)

    async def user(self, user_id: UUID) -> User:
        """A person with preferences and devices.

        Raises:
            NotFound: there is no such user.
        """
        async with self._database.connection() as connection:
            row = await connection.fetchrow(SELECT_USER, user_id)
        if row is None:
            raise unknown_user(user_id)
        return msgspec.convert(dict(row), User)

    async def contacts(self, user_ids: Collection[UUID]) -> dict[UUID, Contact]:
        """The contacts of those users that exist, in one statement."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(SELECT_CONTACTS, list(user_ids))
        return {row["user_id"]: msgspec.convert(dict(row), Contact) for row in rows}

    async def set_preferences(self, user_id: UUID, preferences: ChannelPreferences) -> ChannelPreferences:
        """Replace a person's preferences.

        Raises:
            NotFound: there is no such user.
        """
        async with self._database.transaction() as connection:
            stored = await connection.fetchval(UPDATE_PREFERENCES, user_id, msgspec.to_builtins(preferences))
            if stored is None:
                raise unknown_user(user_id)
            await self._forget([user_id])
        return msgspec.convert(stored, ChannelPreferences)

    async def add_token(self, user_id: UUID, new: NewPushToken) -> tuple[PushToken, bool]:
        """Register a device, or take it over from another user; also says whether it is new here.

        Raises:
            NotFound: there is no such user.
        """
        proposed, digest = new_id(), sha256(new.token.encode()).digest()
        try:
            async with self._database.transaction() as connection:
                (row,) = await connection.fetch(
                    REGISTER_DEVICE, proposed, user_id, new.provider, new.token, digest, new.platform
                )
                await self._forget({user_id, row["moved_from"] or user_id})
        except asyncpg.ForeignKeyViolationError as error:
            raise unknown_user(user_id) from error
        token = msgspec.convert(dict(row), PushToken)
        return token, token.id == proposed

    async def remove_token(self, user_id: UUID, token_id: UUID, reason: str | None) -> None:
        """Take a device away and keep why and when. One that is not there stays away.

        `reason` is often a provider's own words, so it is made to fit rather than refused.
        """
        kept = reason and reason.replace("\0", "")[:REASON_CHARACTERS]
        async with self._database.transaction() as connection:
            await connection.execute(REMOVE_DEVICE, user_id, token_id, kept)
            await self._forget([user_id])


def unknown_user(user_id: object) -> NotFound:
    """The error for an id that no user has."""
    return NotFound(f"There is no user with the id {user_id}", code="unknown_user")
