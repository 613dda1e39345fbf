"""The SQL of imports: one statement a batch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from tidings.contracts.users import NewUser
from tidings.kit.audit.store import record
from tidings.kit.database import Database
from tidings.kit.ids import new_id
from tidings.users.people.store import Forget

BATCH_SECONDS = 10.0
"""How long a batch may take: nobody waits for it as one waits for a page."""

# What a line leaves out stays, as an import often carries a few columns only.
IMPORT_USERS = """
    insert into users as kept (id, external_id, name, email, locale, time_zone, attributes)
    select * from unnest(
        $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[]
    )
    on conflict (external_id) do update set
        name = coalesce(excluded.name, kept.name),
        email = coalesce(excluded.email, kept.email),
        locale = coalesce(excluded.locale, kept.locale),
        time_zone = coalesce(excluded.time_zone, kept.time_zone),
        attributes = kept.attributes || excluded.attributes,
        updated_at = now()
    returning id
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch."""

    created: int
    updated: int


class ImportStore:
    """People, many at once."""

    def __init__(self, database: Database, forget: Forget) -> None:
        self._database = database
        self._forget = forget

    async def store(self, people: Sequence[NewUser], *, import_id: UUID, actor: str) -> Stored:
        """Add people, or update those whose `external_id` is known: all of them, or none.

        No two of them may have the same `external_id`. The batch has one entry in the audit log: an
        import that breaks off later has changed these all the same.
        """
        if not people:
            return Stored(created=0, updated=0)
        # The same order everywhere, so that two imports of the same people cannot deadlock.
        ordered = sorted(people, key=lambda person: person.external_id or "")
        fields = [
            (
                person.external_id,
                person.name,
                person.email,
                person.locale,
                person.time_zone,
                person.attributes,
            )
            for person in ordered
        ]
        proposed = [new_id() for _ in ordered]
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            rows = await connection.fetch(IMPORT_USERS, proposed, *map(list, zip(*fields, strict=True)))
            updated = {row["id"] for row in rows}.difference(proposed)
            stored = Stored(created=len(rows) - len(updated), updated=len(updated))
            await record(connection, actor, "users.imported", str(import_id), asdict(stored))
            if updated:
                await self._forget(updated)
        return stored
