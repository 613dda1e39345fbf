"""One more book: fails when it is run twice."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("insert into books (id) values (2)")


def downgrade() -> None:
    op.execute("delete from books where id = 2")
