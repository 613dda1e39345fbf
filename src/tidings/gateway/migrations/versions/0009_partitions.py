"""Notifications and events by week, and what ends with time: retention, redaction, erased people."""

from datetime import UTC, datetime, timedelta

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    # A partition that others point at could not be dropped. Events are written for locked rows only.
    op.execute("alter table events drop constraint events_notification_id_fkey")
    op.execute("alter table attachments drop constraint attachments_notification_id_fkey")
    op.execute("drop trigger events_are_announced on events")
    op.execute("alter table notifications add column redacted_at timestamptz")
    bound = _next_week()
    _partition("notifications", "id", bound)
    op.execute("alter table notifications add primary key (id)")
    _partition("events", "notification_id", bound)
    _attach("notifications", bound)
    _attach("events", bound)
    op.execute("""
        create trigger events_are_announced after insert on events
        for each statement execute function announce_events()
    """)
    op.execute("alter table dead_letters add column redacted_at timestamptz")
    op.execute("create index dead_letters_unredacted on dead_letters (id) where redacted_at is null")
    op.execute("""
        create index callback_deliveries_by_notification on callback_deliveries (notification_id)
        where notification_id is not null
    """)
    # One row: up to which id what is old was redacted, and up to which number erasures were heard of.
    op.execute("""
        create table data_life (
            only_row boolean primary key default true check (only_row),
            redacted_up_to uuid not null default '00000000-0000-0000-0000-000000000000',
            heard_up_to bigint not null default 0
        )
    """)
    op.execute("insert into data_life default values")
    op.execute("create table redactions_put_off (notification_id uuid primary key)")
    op.execute("""
        create table erasures (
            user_id uuid primary key,
            erased_at timestamptz not null,
            cancelled integer not null default 0,
            redacted integer not null default 0,
            applied_at timestamptz,
            look_again_at timestamptz
        )
    """)
    op.execute("create index erasures_open on erasures (look_again_at) where look_again_at is not null")


def _partition(table: str, key: str, bound: str) -> None:
    """Put a partitioned table in the place of `table`, which keeps its rows as `<table>_before`."""
    connection = op.get_bind()
    found = connection.exec_driver_sql(
        f"""
        select indexname, indexdef from pg_indexes
        where schemaname = current_schema and tablename = '{table}'
        """  # noqa: S608 - our own names
    )
    indexes = [tuple(row) for row in found]
    op.execute(f"alter table {table} rename to {table}_before")
    for name, _ in indexes:
        op.execute(f"alter index {name} rename to {name}_before")
    op.execute(f"create table {table} (like {table}_before including defaults) partition by range ({key})")
    op.execute(f"create table {table}_default partition of {table} default")
    for name, definition in indexes:
        if name != f"{table}_pkey":
            connection.exec_driver_sql(definition)
    # Ids of the future, and those that carry no time.
    op.execute(f"""
        with later as (delete from {table}_before where {key} >= '{bound}' returning *)
        insert into {table} select * from later
    """)  # noqa: S608 - the same


def _attach(table: str, bound: str) -> None:
    """Make of the old rows the first partition; a new installation has none and needs none."""
    rows = op.get_bind().exec_driver_sql(f"select exists (select from {table}_before)")  # noqa: S608 - the same
    if rows.scalar():
        # Indexes that are as those of the partitioned table become parts of them, as they are.
        op.execute(f"""
            alter table {table} attach partition {table}_before for values from (minvalue) to ('{bound}')
        """)
    else:
        op.execute(f"drop table {table}_before")


def _next_week() -> str:
    """The first id of the week that begins next Monday, as UUIDv7 have it: milliseconds in 48 bits."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    monday = today + timedelta(days=7 - today.weekday())
    milliseconds = f"{int(monday.timestamp()) * 1000:012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}-0000-0000-000000000000"
