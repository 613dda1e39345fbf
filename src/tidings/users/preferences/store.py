"""All SQL about preferences: they are a column of a person."""

from collections.abc import Callable
from uuid import UUID

import msgspec

from tidings.contracts.users import NewPreferences, Preferences
from tidings.kit.audit.store import record
from tidings.kit.database import Database
from tidings.users.categories.store import categories_by_id
from tidings.users.people.store import Forget, erased_user, lock_user, unknown_user
from tidings.users.preferences.rules import faults_of
from tidings.users.validation import refuse

_READ = "select preferences, erased_at from users where id = $1"
_REPLACE = "update users set preferences = $2, updated_at = now() where id = $1"


class PreferencesStore:
    """What people want. Each change is made under a lock on the person, so that none is lost."""

    def __init__(self, database: Database, forget: Forget) -> None:
        self._database = database
        self._forget = forget

    async def read(self, user_id: UUID) -> Preferences:
        """A person's preferences.

        Raises:
            NotFound: there is no such user.
            Gone: the user is erased.
        """
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_READ, user_id)
        if row is None:
            raise unknown_user(user_id)
        if row["erased_at"] is not None:
            raise erased_user(user_id)
        return msgspec.convert(row["preferences"], Preferences)

    async def change(
        self, user_id: UUID, edit: Callable[[Preferences], NewPreferences], *, actor: str
    ) -> Preferences:
        """Replace a person's preferences by what `edit` makes of those held; answers the new ones.

        Raises:
            NotFound: there is no such user.
            Gone: the user is erased.
            Unprocessable: names each choice that cannot be made.
        """
        async with self._database.transaction() as connection:
            row = await lock_user(connection, user_id)
            held = msgspec.convert(row["preferences"], Preferences)
            new = edit(held)
            refuse(faults_of(new, held=held, categories=await categories_by_id(connection)))
            stored, before = msgspec.to_builtins(new), msgspec.to_builtins(held)
            await connection.execute(_REPLACE, user_id, stored)
            changed = [name for name, value in stored.items() if value != before[name]]
            if changed:
                detail = {"fields": changed}
                await record(connection, actor, "preferences.changed", str(user_id), detail)
            # Before the commit, so that a crash between the two leaves no cache behind the database.
            await self._forget([user_id])
        return msgspec.convert(stored, Preferences)
