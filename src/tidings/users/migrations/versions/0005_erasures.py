"""A list of erasures, for services that keep something of people."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table erasures (
            number bigint generated always as identity primary key,
            user_id uuid not null,
            erased_at timestamptz not null
        )
    """)
    op.execute("""
        insert into erasures (user_id, erased_at)
        select id, erased_at from users where erased_at is not null order by erased_at
    """)


def downgrade() -> None:
    op.execute("drop table erasures")
