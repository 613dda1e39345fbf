"""How writes with an Idempotency-Key were answered."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # `sealed` is null while the request runs; `leased_until` says for how long that is believed.
    op.execute("""
        create table kept_answers (
            owner text not null,
            key text not null,
            fingerprint bytea not null,
            claim uuid not null,
            leased_until timestamptz not null,
            expires_at timestamptz not null,
            sealed bytea,
            primary key (owner, key)
        )
    """)
    op.execute("create index kept_answers_expiring on kept_answers (expires_at)")
