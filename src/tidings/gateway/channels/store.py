"""All SQL on fallbacks that wait. Whoever moves the state of a first decides about its fallback as well.

Both happen in one transaction, so a fallback that is still `scheduled` when it is due is needed, and the
sweeper sends it as it sends all that is due. Whoever moves firsts locks them and their fallbacks at once, in
the order of ids, as all do that lock several notifications: so no two can wait for one another.
"""

from collections.abc import Iterable
from uuid import UUID

from tidings.contracts.codes import Reached, Status
from tidings.contracts.messages import StatusEvent
from tidings.gateway.channels.deciding import AtOnce, Cancelled, First, follows
from tidings.gateway.spans import Span, span_of
from tidings.kit.database import Connection
from tidings.kit.ids import now


async def with_fallbacks(connection: Connection, ids: Iterable[UUID]) -> Span:
    """Notifications with the fallbacks that stand behind them: what to lock before any of them moves."""
    span = span_of(ids)
    rows = await connection.fetch(_FALLBACKS, *span)
    return span_of([*span.ids, *(row["fallback_id"] for row in rows)]) if rows else span


async def follow(connection: Connection, firsts: Iterable[First]) -> list[StatusEvent]:
    """Cancel what is not needed any more, and make due what is needed now; returns how states moved.

    Repeating it is harmless: what the sweeper has taken, or somebody has settled, stays as it is.

    Args:
        connection: inside the transaction that moved the firsts, and holds the locks `with_fallbacks`.
        firsts: as they are now.
    """
    deciding = {first.fallback_id: first for first in firsts if first.decides}
    if not deciding:
        return []
    waiting = await connection.fetch(_READ_WAITING, *span_of(deciding))
    verdicts = {row["id"]: follows(deciding[row["id"]], Reached(row["fallback_unless"])) for row in waiting}
    needed = [fallback_id for fallback_id, verdict in verdicts.items() if isinstance(verdict, AtOnce)]
    moment = now()
    if needed:
        await connection.execute(_MAKE_DUE, *span_of(needed), moment)
    cancelled = [
        StatusEvent(
            notification_id=fallback_id,
            status=Status.CANCELLED,
            at=moment,
            reason=verdict.reason,
            detail=verdict.detail,
        )
        for fallback_id, verdict in verdicts.items()
        if isinstance(verdict, Cancelled)
    ]
    if cancelled:
        await _cancel(connection, cancelled)
    return cancelled


async def _cancel(connection: Connection, events: list[StatusEvent]) -> None:
    # The rows were read in the order of their ids, which is that of the span.
    span = span_of(event.notification_id for event in events)
    reasons, details = [event.reason for event in events], [event.detail for event in events]
    await connection.execute(_CANCEL, *span, reasons, details, events[0].at)


_FALLBACKS = """
select fallback_id from notifications
where id = any($1::uuid[]) and id between $2 and $3 and fallback_id is not null
"""
# What the sweeper has taken has another `dispatch_at`: it is on its way to the broker, or there.
_READ_WAITING = """
select id, fallback_unless from notifications
where id = any($1::uuid[]) and id between $2 and $3
    and status = 'scheduled' and dispatch_at = send_at and fallback_of is not null
order by id for update
"""
_MAKE_DUE = """
update notifications set send_at = $4, dispatch_at = $4, updated_at = $4
where id = any($1::uuid[]) and id between $2 and $3 and send_at > $4
"""
_CANCEL = """
with told as (
    select * from unnest($1::uuid[], $4::text[], $5::text[]) as told (id, reason, detail)
), moved as (
    update notifications n
    set status = 'cancelled', reason = told.reason, dispatch_at = null, updated_at = $6
    from told where n.id = told.id and n.id between $2 and $3
)
insert into events (notification_id, attempt, status, at, reason, detail)
select id, 0, 'cancelled', $6, reason, detail from told
on conflict do nothing
"""
