"""The audit log: who changed templates and partials."""

from alembic import op

from tidings.kit.audit.store import CREATE_TABLE, DROP_TABLE

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in CREATE_TABLE:
        op.execute(statement)


def downgrade() -> None:
    for statement in DROP_TABLE:
        op.execute(statement)
