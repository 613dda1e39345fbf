"""Dead letters, whole, as they came off the failed queue."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""
        create table dead_letters (
            id uuid primary key,
            fingerprint bytea not null unique,
            notification_id uuid,
            queue text not null,
            reason text not null,
            detail text not null,
            body bytea not null,
            headers jsonb not null,
            recorded_at timestamptz not null
        )
    """)
    op.execute("create index dead_letters_by_notification on dead_letters (notification_id)")
    op.execute("create index dead_letters_by_reason on dead_letters (reason, id)")
