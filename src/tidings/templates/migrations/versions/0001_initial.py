"""Templates and their versions."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        create table templates (
            id text primary key,
            newest integer not null
        )
        """
    )
    op.execute(
        """
        create table versions (
            template_id text not null references templates,
            version integer not null check (version > 0),
            default_locale text not null,
            content jsonb not null,
            variables jsonb not null,
            created_at timestamptz not null,
            primary key (template_id, version)
        )
        """
    )
    # Everyone caches versions for good, so not even their owner may change one.
    op.execute("revoke update on versions from current_user")


def downgrade() -> None:
    op.execute("drop table versions, templates")
