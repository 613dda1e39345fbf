"""People, their devices, and the devices that were taken away."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table users (
            id uuid primary key,
            external_id text unique,
            name text,
            email text,
            locale text,
            time_zone text,
            attributes jsonb not null default '{}',
            preferences jsonb not null default '{}',
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now()
        )
    """)
    # A token may be longer than a B-tree entry can be (2,704 bytes), so its digest is what is unique.
    op.execute("""
        create table push_tokens (
            id uuid primary key,
            user_id uuid not null references users on delete cascade,
            provider text not null,
            token text not null,
            token_sha256 bytea not null,
            platform text,
            moved_from uuid,
            created_at timestamptz not null default now(),
            registered_at timestamptz not null default now(),
            unique (provider, token_sha256)
        )
    """)
    op.execute("create index push_tokens_by_user on push_tokens (user_id)")
    op.execute("""
        create table removed_push_tokens (
            id uuid primary key,
            user_id uuid not null references users on delete cascade,
            provider text not null,
            token text not null,
            platform text,
            reason text,
            created_at timestamptz not null,
            removed_at timestamptz not null default now()
        )
    """)
    op.execute("create index removed_push_tokens_by_user on removed_push_tokens (user_id)")


def downgrade() -> None:
    op.execute("drop table removed_push_tokens, push_tokens, users")
