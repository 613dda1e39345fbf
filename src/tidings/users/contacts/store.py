"""The SQL of contacts: many in one statement."""

from collections.abc import Collection
from uuid import UUID

import msgspec

from tidings.contracts.users import Contact
from tidings.kit.database import Database
from tidings.users.people.store import DEVICE_AS_JSON

# Of several reasons that hold, the one that comes first here is told.
SELECT_CONTACTS = f"""
    select
        id as user_id, email, name, locale, time_zone, preferences,
        (
            select reason from suppressions
            where lower(suppressions.email) = lower(users.email)
                and (expires_at is null or expires_at > now())
            order by array_position(
                array['complaint', 'hard_bounce', 'invalid', 'manual', 'unsubscribe'], reason
            )
            limit 1
        ) as email_suppressed,
        coalesce(
            (
                select json_agg({DEVICE_AS_JSON} order by id) from push_tokens
                where user_id = users.id and not exists (
                    select from suppressions
                    where suppressions.token_sha256 = push_tokens.token_sha256
                        and (expires_at is null or expires_at > now())
                )
            ),
            '[]'
        ) as tokens
    from users where id = any($1) and erased_at is null
"""  # noqa: S608 - a constant of ours


class ContactStore:
    """How to reach people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def contacts(self, user_ids: Collection[UUID]) -> dict[UUID, Contact]:
        """The contacts of those users that exist and are not erased, in one statement."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(SELECT_CONTACTS, list(user_ids))
        return {row["user_id"]: msgspec.convert(dict(row), Contact) for row in rows}
