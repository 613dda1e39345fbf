"""Books."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("create table books (id integer primary key, about jsonb not null default '{}')")
    op.execute("insert into books (id) values (1)")


def downgrade() -> None:
    op.execute("drop table books")
