"""API keys with roles, ends and two secrets at a time; signing keys; the audit log."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("""
        alter table api_keys
            add column role text,
            add column expires_at timestamptz,
            add column last_used_at timestamptz
    """)
    # Kept for good: a first key from the environment must not come back once it was rotated away.
    op.execute("""
        create table replaced_secrets (
            digest bytea primary key,
            key_id uuid not null references api_keys on delete cascade,
            valid_until timestamptz not null
        )
    """)
    op.execute("create index replaced_secrets_by_key on replaced_secrets (key_id)")
    op.execute("""
        create table signing_keys (
            id text primary key,
            public_key bytea not null,
            sealed_private_key bytea not null,
            created_at timestamptz not null,
            retired_at timestamptz
        )
    """)
    # Of two gateways that rotate at once, one finds that there is a key in use already.
    op.execute("create unique index signing_keys_in_use on signing_keys ((true)) where retired_at is null")
    op.execute("""
        create table audit_log (
            id uuid primary key,
            at timestamptz not null,
            actor text not null,
            action text not null,
            subject text not null,
            detail jsonb not null,
            correlation_id text
        )
    """)
    op.execute("create index audit_log_by_actor on audit_log (actor, id)")
    op.execute("create index audit_log_by_action on audit_log (action, id)")
    op.execute("create index audit_log_by_time on audit_log (at)")
    # A revoked grant would not bind the table's owner or a superuser; a trigger does.
    op.execute("""
        create function refuse_change_of_audit_log() returns trigger language plpgsql as $$
        begin
            raise exception 'audit_log is append only';
        end
        $$
    """)
    op.execute("""
        create trigger audit_log_is_append_only
        before update or delete or truncate on audit_log
        for each statement execute function refuse_change_of_audit_log()
    """)
