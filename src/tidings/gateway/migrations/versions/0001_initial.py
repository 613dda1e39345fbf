"""Notifications, their events, idempotency keys, API keys."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        create table notifications (
            id uuid primary key,
            owner text not null,
            request_id text not null,
            channel text not null,
            user_id text not null,
            template_id text not null,
            status text not null,
            reason text,
            message jsonb not null,
            headers jsonb not null,
            accepted_at timestamptz not null,
            queued_at timestamptz,
            updated_at timestamptz not null,
            dispatch_at timestamptz
        )
    """)
    op.execute("create index notifications_by_request on notifications (request_id, id desc)")
    # The outbox: only rows that still have to be published are in this index.
    op.execute("create index notifications_due on notifications (dispatch_at) where dispatch_at is not null")
    op.execute("""
        create table events (
            notification_id uuid not null references notifications on delete cascade,
            attempt smallint not null,
            status text not null,
            at timestamptz not null,
            reason text,
            detail text,
            provider text,
            provider_ref text,
            next_attempt_at timestamptz,
            primary key (notification_id, attempt, status)
        )
    """)
    op.execute("""
        create table idempotency_keys (
            owner text not null,
            key text not null,
            fingerprint bytea not null,
            notification_id uuid not null,
            accepted_at timestamptz not null,
            request_id text not null,
            expires_at timestamptz not null,
            primary key (owner, key)
        )
    """)
    op.execute("create index idempotency_keys_expired on idempotency_keys (expires_at)")
    op.execute("""
        create table api_keys (
            id uuid primary key,
            name text not null,
            prefix text not null,
            digest bytea not null unique,
            scopes text[] not null,
            created_at timestamptz not null default now(),
            revoked_at timestamptz
        )
    """)
