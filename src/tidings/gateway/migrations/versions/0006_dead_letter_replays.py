"""Dead letters to look through, edits beside them, jobs that replay them, and the links that this makes."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("alter table notifications add column replay_of uuid")
    op.execute("""
        alter table dead_letters
            add column cause text not null default '',
            add column channel text,
            add column user_id text,
            add column template_id text,
            add column expires_at timestamptz,
            add column edits jsonb,
            add column replayed_as uuid[] not null default '{}',
            add column revision integer not null default 0
    """)
    op.execute("""
        update dead_letters d
        set cause = left(d.detail, 300), channel = n.channel, user_id = n.user_id,
            template_id = n.template_id, expires_at = (n.message ->> 'expires_at')::timestamptz
        from notifications n where n.id = d.notification_id
    """)
    op.execute("create index dead_letters_by_template on dead_letters (template_id, id)")
    op.execute("create index dead_letters_by_user on dead_letters (user_id, id)")
    op.execute("""
        create table replay_jobs (
            id uuid primary key,
            actor text not null,
            sandbox boolean not null,
            state text not null,
            filter jsonb not null,
            rate double precision not null,
            again boolean not null,
            skip_expired boolean not null,
            created_at timestamptz not null,
            finished_at timestamptz,
            due_at timestamptz not null
        )
    """)
    op.execute("create index replay_jobs_running on replay_jobs (due_at) where state = 'running'")
    # What matched when the job began. No foreign key: a discarded letter is still an item that was matched.
    op.execute("""
        create table replay_items (
            job_id uuid not null references replay_jobs on delete cascade,
            dead_letter_id uuid not null,
            outcome text,
            notification_id uuid,
            leased_until timestamptz,
            primary key (job_id, dead_letter_id)
        )
    """)
    op.execute(
        "create index replay_items_open on replay_items (job_id, dead_letter_id) where outcome is null"
    )
