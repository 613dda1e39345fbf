"""All SQL on audit logs. The table is append only: PostgreSQL refuses updates and deletions.

Only what is dropped because its time is over goes, by the owner of the table, and in a way that shows.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from structlog.contextvars import get_contextvars

from tidings.kit.audit.entries import AuditEntries, AuditEntry, AuditFilter, Deed
from tidings.kit.database import Connection, Database
from tidings.kit.ids import new_id, now

ACTOR: Final = "tidings"
"""Who does in the log what nobody asked for."""
DROP_SECONDS: Final = 10.0
LOCK_WAIT: Final = "200ms"
"""Whoever waits for the table makes all who come after wait as well."""


async def record(
    connection: Connection, actor: str, action: str, subject: str, detail: Mapping[str, object] | None = None
) -> None:
    """Write one entry in the transaction that makes the change, so that neither exists without the other.

    Args:
        connection: the connection of the change, inside its transaction.
        actor: who did it, which is the `owner` of the request's `Principal`.
        action: what was done, as `<noun>.<past participle>`, for example `api_key.revoked`.
        subject: the id of what was changed.
        detail: what else to know, as JSON; never a secret, and nothing personal.
    """
    await record_all(connection, actor, [Deed(action=action, subject=subject, detail=detail or {})])


async def record_all(connection: Connection, actor: str, deeds: Sequence[Deed]) -> None:
    """Write an entry for each deed, in one statement. As for `record`; nothing is done for no deeds."""
    if not deeds:
        return
    await connection.execute(
        _INSERT,
        now(),
        actor,
        get_contextvars().get("correlation_id"),
        [new_id() for _ in deeds],
        [deed.action for deed in deeds],
        [deed.subject for deed in deeds],
        [dict(deed.detail) for deed in deeds],
    )


class AuditLog:
    """The audit log of one service: to read, and to shorten."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, wanted: AuditFilter, *, before: UUID | None, limit: int) -> AuditEntries:
        """At most `limit` entries that fit, newest first, from the one that follows `before` on."""
        statement, values = _page(wanted, before)
        async with self._database.connection() as connection:
            rows = await connection.fetch(statement, limit + 1, *values)
        found = [AuditEntry(**row) for row in rows[:limit]]
        return AuditEntries(entries=found, next_cursor=str(found[-1].id) if len(rows) > limit else None)

    async def drop(self, *, before: datetime, limit: int) -> int:
        """Drop the oldest entries from before a moment, and enter that in the log; returns how many went.

        Raises:
            LockNotAvailableError: the log was in use for longer than its writers could be made to wait.
            Unavailable: PostgreSQL does not answer.
        """
        async with self._database.transaction(limit=DROP_SECONDS) as connection:
            if not await connection.fetchval(_HAS_OLDER, before):
                return 0
            await connection.execute(f"set local lock_timeout = '{LOCK_WAIT}'")
            # This locks the table, so that there is no moment in which anybody else may write unguarded.
            await connection.execute(_GUARD.format("disable"))
            [row] = await connection.fetch(_DROP, before, limit)
            await connection.execute(_GUARD.format("enable"))
            count: int = row["entries"]
            if count:
                await record(connection, ACTOR, "audit_entries.dropped", "audit_log", dict(row))
        return count


def _page(wanted: AuditFilter, before: UUID | None) -> tuple[str, list[object]]:
    """The statement has only the conditions asked for, so that each has its index."""
    asked = {
        "actor = {}": wanted.actor,
        "action = {}": wanted.action,
        "subject = {}": wanted.subject,
        "at >= {}": wanted.since,
        "id < {}": before,
    }
    given = {condition: value for condition, value in asked.items() if value is not None}
    conditions = [condition.format(f"${number}") for number, condition in enumerate(given, start=2)]
    return _PAGE % " and ".join(["true", *conditions]), [*given.values()]


_INSERT = """
insert into audit_log (id, at, actor, action, subject, detail, correlation_id)
select id, $1, $2, action, subject, detail, $3
from unnest($4::uuid[], $5::text[], $6::text[], $7::jsonb[]) as deed (id, action, subject, detail)
"""
_PAGE = """
select id, at, actor, action, subject, detail, correlation_id from audit_log
where %s order by id desc limit $1
"""
_HAS_OLDER = "select exists (select from audit_log where at < $1)"
_GUARD = "alter table audit_log {} trigger audit_log_is_append_only"
_DROP = """
with dropped as (
    delete from audit_log where id in (select id from audit_log where at < $1 order by at limit $2)
    returning at
)
select count(*) as entries, min(at) as first, max(at) as last from dropped
"""

# A revoked grant would not bind the table's owner or a superuser; a trigger does.
CREATE_TABLE = (
    """
    create table audit_log (
        id uuid primary key,
        at timestamptz not null,
        actor text not null,
        action text not null,
        subject text not null,
        detail jsonb not null,
        correlation_id text
    )
    """,
    "create index audit_log_by_actor on audit_log (actor, id)",
    "create index audit_log_by_action on audit_log (action, id)",
    "create index audit_log_by_subject on audit_log (subject, id)",
    "create index audit_log_by_time on audit_log (at)",
    """
    create function refuse_change_of_audit_log() returns trigger language plpgsql as $$
    begin
        raise exception 'audit_log is append only';
    end
    $$
    """,
    """
    create trigger audit_log_is_append_only
    before update or delete or truncate on audit_log
    for each statement execute function refuse_change_of_audit_log()
    """,
)
"""What a service's migration runs to have an audit log. It was run: later changes are new migrations."""
DROP_TABLE = ("drop table audit_log", "drop function refuse_change_of_audit_log")
