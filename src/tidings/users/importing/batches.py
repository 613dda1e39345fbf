"""Importing people: in batches, each stored whole or not at all, with a report on every line."""

from collections.abc import AsyncIterator, Sequence

import msgspec

from tidings.contracts.users import ImportCounts, ImportEvent, ImportFault, NewUser
from tidings.kit.errors import Unavailable
from tidings.kit.ids import new_id
from tidings.users.importing.formats import Row, Unreadable
from tidings.users.importing.store import ImportStore

BATCH_ROWS = 500
MAX_ROWS = 100_000


async def import_people(
    rows: AsyncIterator[Row], store: ImportStore, *, actor: str
) -> AsyncIterator[ImportEvent]:
    """Store what the rows hold, and tell of each batch: its faults, then how far the import is.

    The last event is the summary. Where the import ends early, because a line cannot be read or
    the database does not answer, the error before it says from which line on nothing was stored.
    """
    counts, import_id = ImportCounts(), new_id()
    async for batch, end in _batches(rows):
        people = [row.person for row in batch if row.person]
        try:
            stored = await store.store(_one_each(people), import_id=import_id, actor=actor)
        except Unavailable as error:
            yield _ended(batch[0].line, error.detail)
            break
        counts = ImportCounts(
            lines=counts.lines + len(batch),
            created=counts.created + stored.created,
            # A person who is in the batch twice was created or updated by the first line.
            updated=counts.updated + len(people) - stored.created,
            failed=counts.failed + len(batch) - len(people),
        )
        for row in batch:
            for fault in row.faults:
                yield ImportEvent(error=ImportFault(line=row.line, field=fault.field, message=fault.message))
        if batch:
            yield ImportEvent(progress=counts)
        if end:
            yield _ended(end.line, str(end))
    yield ImportEvent(summary=counts)


async def _batches(rows: AsyncIterator[Row]) -> AsyncIterator[tuple[list[Row], Unreadable | None]]:
    """The rows in batches, the last one with what ended the reading early, if anything did."""
    batch: list[Row] = []
    read = 0
    try:
        async for row in rows:
            if len(batch) == BATCH_ROWS:
                yield batch, None
                batch = []
            read += 1
            if read > MAX_ROWS:
                raise Unreadable(row.line, f"An import has at most {MAX_ROWS:,} rows")  # noqa: TRY301 - ends the reading like the others
            batch.append(row)
    except Unreadable as end:
        yield batch, end
    else:
        yield batch, None


def _one_each(people: Sequence[NewUser]) -> list[NewUser]:
    """The same people, those with the same `external_id` as one: later lines change earlier ones."""
    known: dict[str, NewUser] = {}
    for person in people:
        if person.external_id is not None:
            earlier = known.get(person.external_id, person)
            known[person.external_id] = _updated(earlier, person)
    return [*known.values(), *(person for person in people if person.external_id is None)]


def _updated(earlier: NewUser, later: NewUser) -> NewUser:
    given = {name: value for name, value in msgspec.structs.asdict(later).items() if value is not None}
    return msgspec.structs.replace(
        earlier, **given | {"attributes": {**earlier.attributes, **later.attributes}}
    )


def _ended(line: int, words: str) -> ImportEvent:
    message = f"{words}. This line and all after it were not imported: send them again"
    return ImportEvent(error=ImportFault(line=line, field="$", message=message))
