"""The SQL of erasures. It holds ids only, and grows by one row with each person who is erased."""

from uuid import UUID

import msgspec

from tidings.contracts.users import Erasure
from tidings.kit.database import Connection, Database

# Numbers are drawn under the lock, which is held until the commit, so none appears below one that is there.
IN_ORDER = "select pg_advisory_xact_lock(hashtext(current_schema || '.erasures'))"
ADD_ERASURE = "insert into erasures (user_id, erased_at) values ($1, now())"
SELECT_ERASURES = "select number, user_id, erased_at from erasures where number > $1 order by number limit $2"


class ErasureStore:
    """Who was erased, in the order in which it happened."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def after(self, number: int, *, limit: int) -> list[Erasure]:
        """Erasures with greater numbers, the oldest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(SELECT_ERASURES, number, limit)
        return [msgspec.convert(dict(row), Erasure) for row in rows]


async def add_erasure(connection: Connection, user_id: UUID) -> None:
    """Tell of an erasure in its own transaction, as the last thing before the commit."""
    await connection.execute(IN_ORDER)
    await connection.execute(ADD_ERASURE, user_id)
