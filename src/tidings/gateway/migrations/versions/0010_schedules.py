"""Schedules of recurring notifications."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    # next_local and next_at are the next occurrence, on the wall clock of zone and as a moment; due_at is
    # when to look at it, which a lease moves.
    op.execute("""
        create table schedules (
            id uuid primary key,
            owner text not null,
            sandbox boolean not null,
            name text,
            rrule text not null,
            start_at_local timestamp not null,
            time_zone text,
            notification jsonb not null,
            status text not null,
            paused_because text,
            zone text not null,
            next_local timestamp,
            next_at timestamptz,
            due_at timestamptz,
            made bigint not null default 0,
            skipped bigint not null default 0,
            refusals smallint not null default 0,
            last_problem jsonb,
            created_at timestamptz not null,
            updated_at timestamptz not null
        )
    """)
    op.execute("create index schedules_due on schedules (due_at) where due_at is not null")
    op.execute("create index schedules_by_owner on schedules (owner, id desc)")
    op.execute("create index schedules_by_recipient on schedules ((notification ->> 'user_id'))")
