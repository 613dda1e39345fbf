"""Categories, and the list of addresses that must not be written to."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table categories (
            id text primary key,
            name text not null,
            description text not null,
            required boolean not null,
            email boolean not null,
            push boolean not null
        )
    """)
    op.execute("""
        insert into categories (id, name, description, required, email, push) values
            ('general', 'General', 'Everything that is in no other category', false, true, true),
            ('transactional', 'Your account and orders', 'Answers to what you did', true, true, true),
            ('security', 'Security', 'Sign-ins, codes and changes to your account', true, true, true),
            ('marketing', 'News and offers', 'What is new, and what is on offer', false, true, true)
    """)
    # A token may be longer than a B-tree entry can be (2,704 bytes), so its digest is what is unique.
    op.execute("""
        create table suppressions (
            id uuid primary key,
            email text,
            token text,
            token_sha256 bytea,
            reason text not null,
            source text not null,
            created_at timestamptz not null,
            expires_at timestamptz,
            check (num_nonnulls(email, token) = 1),
            check ((token is null) = (token_sha256 is null)),
            unique (token_sha256, reason)
        )
    """)
    op.execute("create unique index suppressions_by_email on suppressions (lower(email), reason)")
    op.execute("create index suppressions_by_reason on suppressions (reason, id)")


def downgrade() -> None:
    op.execute("drop table suppressions, categories")
