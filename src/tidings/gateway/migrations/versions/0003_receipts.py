"""Receipts of providers in timelines, several devices, attachments, test keys."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("alter table events add column target text")
    # Receipts carry no attempt, so its reason and its target are part of what an event is.
    op.execute("""
        create unique index events_identity
        on events (notification_id, attempt, status, coalesce(reason, ''), coalesce(target, ''))
    """)
    op.execute("alter table events drop constraint events_pkey")
    op.execute("""
        create table attachments (
            id uuid primary key,
            notification_id uuid not null references notifications on delete cascade,
            filename text not null,
            content_type text not null,
            content_id text,
            content bytea not null
        )
    """)
    # Most files are compressed as they are; trying it again costs seconds of work for nothing.
    op.execute("alter table attachments alter column content set storage external")
    op.execute("create index attachments_by_notification on attachments (notification_id)")
    op.execute("alter table api_keys add column sandbox boolean not null default false")
    op.execute(r"update api_keys set sandbox = true where prefix like 'tdg\_test\_%'")
