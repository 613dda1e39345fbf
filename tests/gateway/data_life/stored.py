"""What a gateway stored long ago, put into its tables as it would have been."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from tidings.contracts.codes import Channel
from tidings.contracts.messages import DeliveryMessage, EmailParts
from tidings.gateway.data_life.weeks import Week, first_id

SECRET = "Gutenberg"
"""Stands for whatever is personal."""
HABIT = "sleeps late"
"""Stands for what is not, and yet tells of a person."""


def days_ago(days: float) -> datetime:
    """A moment in the past."""
    return datetime.now(UTC) - timedelta(days=days)


def id_of(moment: datetime) -> UUID:
    """An id as it would have been made at that moment."""
    return UUID(int=first_id(moment).int | 7 << 76 | 2 << 62 | secrets.randbits(62))


class Stored:
    """The tables of one gateway's schema."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def week(self, moment: datetime) -> str:
        """The partitions of the week of a moment, as they were made ahead of it; returns their suffix."""
        week = Week.of(moment)
        for table in ("notifications", "events"):
            await self.connection.execute(
                f"create table if not exists {table}_{week.suffix} partition of {table}"
                f" for values from ('{week.first}') to ('{week.end}')"
            )
        owner = await self.connection.fetchval(
            "select tableowner from pg_tables where schemaname = 'gateway' and tablename = 'notifications'"
        )
        for table in ("notifications", "events"):
            await self.connection.execute(f"alter table {table}_{week.suffix} owner to {owner}")
        return week.suffix

    async def notification(
        self,
        moment: datetime,
        *,
        status: str = "sent",
        user_id: str = "somebody",
        changed: datetime | None = None,
    ) -> UUID:
        """A notification of that age, that says something secret, with an event and a file."""
        message = DeliveryMessage(
            notification_id=id_of(moment),
            request_id=secrets.token_hex(8),
            channel=Channel.EMAIL,
            user_id=user_id,
            template_id="welcome",
            variables={"name": SECRET},
            metadata={"order": SECRET},
            email=EmailParts(reply_to=f"{SECRET}@example.com"),
            accepted_at=moment,
        )
        await self.connection.execute(
            """
            insert into notifications (id, owner, request_id, channel, user_id, template_id, status, message,
                headers, accepted_at, updated_at, send_at, dispatch_at)
            values ($1, '', $2, 'email', $3, 'welcome', $4, $5, '{}', $6, $7, $8, $8)
            """,
            message.notification_id,
            message.request_id,
            user_id,
            status,
            msgspec.json.encode(message).decode(),
            moment,
            changed or moment,
            datetime.now(UTC) + timedelta(days=30) if status == "scheduled" else None,
        )
        await self.connection.execute(
            """
            insert into events (notification_id, attempt, status, at, detail, provider_ref, trace)
            values ($1, 1, $2, $3, $4, 'ref-1', $5)
            """,
            message.notification_id,
            status,
            moment,
            f"250 {SECRET}",
            msgspec.json.encode([["quiet_hours", "passed", HABIT]]).decode(),
        )
        await self.connection.execute(
            """
            insert into attachments (id, notification_id, filename, content_type, content)
            values ($1, $2, 'a.txt', 'text/plain', convert_to($3, 'UTF8'))
            """,
            id_of(moment),
            message.notification_id,
            SECRET,
        )
        return message.notification_id

    async def dead_letter(self, moment: datetime, notification_id: UUID) -> UUID:
        """The dead letter of a notification, with edits."""
        letter_id = id_of(moment)
        await self.connection.execute(
            """
            insert into dead_letters (id, fingerprint, notification_id, queue, reason, detail, cause, body,
                headers, recorded_at, channel, user_id, template_id, edits)
            select $1, $2, id, 'email.queue', 'render_failed', $3, 'no name',
                convert_to(message::text, 'UTF8'),
                jsonb_build_object('x-detail', $3::text), $4, channel, user_id, template_id,
                jsonb_build_object('variables', jsonb_build_object('name', $3::text))
            from notifications where id = $5
            """,
            letter_id,
            letter_id.bytes,
            SECRET,
            moment,
            notification_id,
        )
        return letter_id

    async def secrets(self) -> dict[str, int]:
        """In how many rows of each table something secret is."""
        found = {}
        for table, text in (
            ("notifications", "t::text"),
            ("events", "t::text"),
            ("attachments", "convert_from(content, 'UTF8')"),
            ("dead_letters", "t::text || convert_from(body, 'UTF8')"),
            ("callback_deliveries", "log::text || convert_from(body, 'UTF8')"),
            ("audit_log", "t::text"),
        ):
            statement = f"select count(*) from {table} t where {text} like $1"  # noqa: S608 - our own names
            count = await self.connection.fetchval(statement, f"%{SECRET}%")
            if count:
                found[table] = count
        return found

    async def ids(self, table: str = "notifications") -> set[UUID]:
        """The ids in a table."""
        rows = await self.connection.fetch(f"select id from {table}")  # noqa: S608 - a name of ours
        return {row["id"] for row in rows}

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        count: int = await self.connection.fetchval(f"select count(*) from {table}")  # noqa: S608 - the same
        return count

    async def has_week(self, suffix: str) -> bool:
        """Whether the partition of a week is there."""
        return bool(
            await self.connection.fetchval("select to_regclass($1) is not null", f"notifications_{suffix}")
        )

    async def actions(self, action: str) -> list[str]:
        """What the audit log has of one kind of action: its subjects."""
        rows = await self.connection.fetch(
            "select subject from audit_log where action = $1 and actor = 'tidings' order by id", action
        )
        return [row["subject"] for row in rows]


@asynccontextmanager
async def storing(database_url: str) -> AsyncIterator[Stored]:
    """A superuser's view of the gateway's schema in a database."""
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "gateway"})
    try:
        yield Stored(connection)
    finally:
        await connection.close()
