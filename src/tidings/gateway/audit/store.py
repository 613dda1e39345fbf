"""All SQL on the audit log. The table is append only: PostgreSQL refuses updates and deletions."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec
from structlog.contextvars import get_contextvars

from tidings.contracts.audit import AuditEntry
from tidings.kit.database import Connection, Database
from tidings.kit.ids import new_id, now


async def record(
    connection: Connection, actor: str, action: str, subject: str, detail: Mapping[str, object] | None = None
) -> None:
    """Write one entry in the transaction that makes the change, so that neither exists without the other.

    Args:
        connection: the connection of the change, inside its transaction.
        actor: who did it, which is the `owner` of the request's `Principal`.
        action: what was done, as `<noun>.<past participle>`, for example `api_key.revoked`.
        subject: the id of what was changed.
        detail: what else to know, as JSON; never a secret.
    """
    correlation_id = get_contextvars().get("correlation_id")
    await connection.execute(
        _INSERT, new_id(), now(), actor, action, subject, dict(detail or {}), correlation_id
    )


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are wanted; without anything, all."""

    actor: str | None = None
    action: str | None = None
    since: datetime | None = None


class AuditStore:
    """Reads the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, wanted: AuditFilter, *, before: UUID | None, limit: int) -> list[AuditEntry]:
        """Entries that fit, newest first, from the one after `before` on."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_PAGE, wanted.actor, wanted.action, wanted.since, before, limit)
        return [AuditEntry(**row) for row in rows]


_INSERT = """
insert into audit_log (id, at, actor, action, subject, detail, correlation_id)
values ($1, $2, $3, $4, $5, $6, $7)
"""
_PAGE = """
select id, at, actor, action, subject, detail, correlation_id from audit_log
where ($1::text is null or actor = $1)
  and ($2::text is null or action = $2)
  and ($3::timestamptz is null or at >= $3)
  and ($4::uuid is null or id < $4)
order by id desc limit $5
"""
