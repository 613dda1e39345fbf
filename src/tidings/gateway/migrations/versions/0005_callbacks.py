"""Endpoints for callbacks, and what is to be delivered to them."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("""
        create table callback_endpoints (
            id uuid primary key,
            owner text not null,
            url text not null,
            events text[] not null,
            channels text[] not null,
            description text,
            status text not null,
            status_because text,
            secret text not null,
            old_secret text,
            old_secret_until timestamptz,
            failures integer not null default 0,
            failing_since timestamptz,
            rest_until timestamptz,
            created_at timestamptz not null,
            updated_at timestamptz not null
        )
    """)
    op.execute("create index callback_endpoints_by_owner on callback_endpoints (owner, id)")
    # Drawn under the notification's row lock, so the events of one notification are numbered in order.
    op.execute("create sequence callback_sequence")
    # No foreign key to the endpoint: its removal would wait for all that was ever delivered to it.
    op.execute("""
        create table callback_deliveries (
            id uuid primary key,
            endpoint_id uuid not null,
            event_id uuid not null,
            type text not null,
            notification_id uuid,
            body bytea not null,
            status text not null,
            attempts smallint not null default 0,
            log jsonb not null default '[]',
            created_at timestamptz not null,
            due_at timestamptz,
            queued_at timestamptz,
            unique (endpoint_id, event_id)
        )
    """)
    op.execute("create index callback_deliveries_listed on callback_deliveries (endpoint_id, id desc)")
    op.execute("""
        create index callback_deliveries_due on callback_deliveries (endpoint_id, due_at)
        where status = 'pending'
    """)
    op.execute("""
        create index callback_deliveries_out on callback_deliveries (endpoint_id) where queued_at is not null
    """)
    op.execute("""
        create index callback_deliveries_undone on callback_deliveries (endpoint_id, created_at)
        where status in ('failed', 'missed')
    """)
    op.execute("create index callback_deliveries_old on callback_deliveries (created_at)")
