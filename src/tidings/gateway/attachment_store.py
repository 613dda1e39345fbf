"""All SQL on attachments: files beside the notifications that they go with."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from tidings.kit.database import Connection, Database

READ_SECONDS = 5.0
"""A file may have 10 MiB."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that came inside a request. The broker's message only refers to it."""

    id: UUID
    filename: str
    content_type: str
    content_id: str | None
    content: bytes


async def add_files(connection: Connection, files: Iterable[tuple[UUID, KeptFile]]) -> None:
    """Keep files, each with its notification's id, in the transaction of `connection`."""
    rows = [
        (file.id, notification_id, file.filename, file.content_type, file.content_id, file.content)
        for notification_id, file in files
    ]
    # One by one: together they could pass what one message to PostgreSQL holds.
    await connection.executemany(_INSERT, rows)


class AttachmentStore:
    """Attachments to read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def content(self, attachment_id: UUID) -> bytes | None:
        """What is in a file; None when there is none of this id."""
        async with self._database.connection(limit=READ_SECONDS) as connection:
            content: bytes | None = await connection.fetchval(_READ, attachment_id)
        return content


_INSERT = """
insert into attachments (id, notification_id, filename, content_type, content_id, content)
values ($1, $2, $3, $4, $5, $6)
"""
_READ = "select content from attachments where id = $1"
