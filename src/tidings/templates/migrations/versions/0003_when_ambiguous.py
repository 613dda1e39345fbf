"""What to do about a message whose outcome is unknown."""

from alembic import op

revision = "0003"
down_revision = "0002"

_TABLES = ("versions", "drafts")


def upgrade() -> None:
    # What was published before is tried again, as it always was.
    for table in _TABLES:
        op.execute(f"alter table {table} add column when_ambiguous text not null default 'retry'")


def downgrade() -> None:
    for table in _TABLES:
        op.execute(f"alter table {table} drop column when_ambiguous")
