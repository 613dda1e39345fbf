"""Indexes for each way to search notifications, and an order of events that a feed can follow."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    # A page is in the order of ids. Without these, a filter that matches little reads the whole table to
    # fill one page. Whatever most notifications have (sent, delivered, no reason, a live key) needs none:
    # the newest rows fill the page.
    op.execute("create index notifications_by_user on notifications (user_id, id desc)")
    op.execute("create index notifications_by_template on notifications (template_id, id desc)")
    op.execute("create index notifications_by_channel on notifications (channel, id desc)")
    op.execute("""
        create index notifications_by_status on notifications (status, id desc)
        where status not in ('sent', 'delivered')
    """)
    op.execute("""
        create index notifications_by_reason on notifications (reason, id desc) where reason is not null
    """)
    op.execute("""
        create index notifications_by_original on notifications (replay_of, id desc)
        where replay_of is not null
    """)
    op.execute("""
        create index notifications_of_tests on notifications (id desc)
        where (message ->> 'sandbox')::boolean
    """)
    # Numbers are given before commits, so among transactions they do not say which events are there already.
    # Transaction ids do, compared with a snapshot; docs/decisions/0027. Older events have neither.
    op.execute("create sequence event_numbers")
    op.execute('alter table events add column number bigint, add column "transaction" bigint')
    op.execute("""
        alter table events
            alter column number set default nextval('event_numbers'),
            alter column "transaction" set default pg_current_xact_id()::text::bigint
    """)
    op.execute("""
        create index events_in_order on events ("transaction", number) where "transaction" is not null
    """)
    # Whoever writes events, gateways with open streams hear of it at the commit.
    op.execute("""
        create function announce_events() returns trigger language plpgsql as $$
        begin
            perform pg_notify('tidings_events', '');
            return null;
        end
        $$
    """)
    op.execute("""
        create trigger events_are_announced after insert on events
        for each statement execute function announce_events()
    """)
