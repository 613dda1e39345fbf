"""Lists of people, erased people, Web Push subscriptions, and what a device says of itself."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table users add column erased_at timestamptz")
    # Erased people are in no list, so they are in no index of one.
    for name, columns in (
        ("users_by_age", "created_at desc, id desc"),
        ("users_by_email", "lower(email), created_at desc, id desc"),
        ("users_by_locale", "locale, created_at desc, id desc"),
    ):
        op.execute(f"create index {name} on users ({columns}) where erased_at is null")
    op.execute("""
        alter table push_tokens
            add column subscription jsonb,
            add column locale text,
            add column time_zone text
    """)


def downgrade() -> None:
    op.execute("drop index users_by_locale, users_by_email, users_by_age")
    op.execute("alter table push_tokens drop column subscription, drop column locale, drop column time_zone")
    op.execute("alter table users drop column erased_at")
