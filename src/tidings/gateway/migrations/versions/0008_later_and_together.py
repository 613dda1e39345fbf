"""Notifications for later, on several channels, of schedules, with business keys; traces of decisions."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("""
        alter table notifications
            add column send_at timestamptz,
            add column group_id uuid,
            add column fallback_of uuid,
            add column fallback_unless text,
            add column fallback_id uuid,
            add column schedule_id uuid
    """)
    op.execute("alter table events add column trace jsonb")
    # Each priority is swept by itself, so that 100,000 of one that are due at once hold up no other.
    op.execute("drop index notifications_due")
    op.execute("""
        create index notifications_due on notifications ((message ->> 'priority'), dispatch_at)
        where dispatch_at is not null
    """)
    op.execute("""
        create index notifications_by_group on notifications (group_id) where group_id is not null
    """)
    op.execute("""
        create index notifications_by_schedule on notifications (schedule_id, id desc)
        where schedule_id is not null
    """)
    op.execute("""
        create table dedupe_keys (
            owner text not null,
            key text not null,
            notification_id uuid not null,
            expires_at timestamptz not null,
            primary key (owner, key)
        )
    """)
    op.execute("create index dedupe_keys_expired on dedupe_keys (expires_at)")
    # A request whose business key was held is answered as it was then, whatever became of that key.
    op.execute("alter table idempotency_keys add column deduplicated boolean not null default false")
