"""Writing what workers and providers report into timelines and states."""

from collections.abc import Container, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import StatusEvent
from tidings.gateway.callbacks.outbox import CallbackOutbox
from tidings.gateway.channels.deciding import First
from tidings.gateway.channels.store import follow, with_fallbacks
from tidings.gateway.spans import span_of
from tidings.kit.database import Database
from tidings.kit.ids import now

BATCH_SECONDS = 10.0
"""No caller waits for it."""

REMARKS = frozenset({Reason.DEFERRED, Reason.COMPLAINED, Reason.DISPLAYED, Reason.CLICKED})
"""What providers remark on a message without saying why it is in its state."""
_UNMARKED = [Status.ACCEPTED, Status.SCHEDULED, Status.CANCELLED]
"""In which a notification may be that was queued a moment ago, if the mark is still to come."""
_SAID_BY_PROVIDERS = frozenset({Status.SENT, Status.DELIVERED, Status.BOUNCED})


class TrackingStore:
    """Events, and the states that follow from them."""

    def __init__(self, database: Database, outbox: CallbackOutbox) -> None:
        self._database = database
        self._outbox = outbox

    async def track(self, events: Sequence[StatusEvent]) -> None:
        """Write events into timelines and move states forward; repeating it is harmless."""
        async with self._database.transaction(limit=BATCH_SECONDS) as connection:
            span = span_of(event.notification_id for event in events)
            rows = await connection.fetch(_LOCK_STATES, *await with_fallbacks(connection, span.ids))
            states = {row["id"]: _state(row["status"], row["reason"]) for row in rows}
            redacted = {row["id"] for row in rows if row["redacted_at"]}
            known = [_told(event, redacted) for event in events if event.notification_id in states]
            fallbacks = {row["id"]: row["fallback_id"] for row in rows if row["fallback_id"]}
            await connection.execute(_INSERT_EVENTS, *_event_columns(known))
            moves = _moves(states, known)
            if moves:
                await connection.execute(
                    _MOVE_STATES, *_move_columns(moves), now(), span.first, span.last, _UNMARKED
                )
            if fallbacks:
                moves += await follow(connection, _firsts(fallbacks, states, known))
            remarks = [event for event in known if event.reason in REMARKS]
            await self._outbox.record(connection, moves=moves, remarks=remarks)
        self._outbox.announce()


State = tuple[Status, Reason | None]


def _told(event: StatusEvent, redacted: Container[UUID]) -> StatusEvent:
    # What a provider says late would bring back what was redacted: it often quotes the address.
    if event.notification_id not in redacted:
        return event
    return msgspec.structs.replace(event, detail=None, provider_ref=None, trace=[])


def _state(status: str, reason: str | None) -> State:
    return Status(status), Reason(reason) if reason else None


def _moves(states: dict[UUID, State], events: Sequence[StatusEvent]) -> list[StatusEvent]:
    """The events that move a state forward, each notification's in the order in which they do."""
    moves: list[StatusEvent] = []
    for event in sorted(events, key=_turn):
        if _moves_forward(states[event.notification_id], event):
            states[event.notification_id] = event.status, _reason(event)
            moves.append(event)
    return moves


def _firsts(
    fallbacks: dict[UUID, UUID], states: dict[UUID, State], events: Sequence[StatusEvent]
) -> list[First]:
    """The notifications that have fallbacks, as the events left them."""
    return [
        First.of(fallback_id, *states[own_id], (one for one in events if one.notification_id == own_id))
        for own_id, fallback_id in fallbacks.items()
    ]


def _turn(event: StatusEvent) -> tuple[bool, int, datetime]:
    # What providers say of a send has no attempt. It comes after the send that it speaks of, else the
    # send would not count as a step forward any more.
    return (not event.attempt and event.status in _SAID_BY_PROVIDERS, event.attempt, event.at)


def _moves_forward(state: State, event: StatusEvent) -> bool:
    current, reason = state
    if event.target is not None and (event.attempt or event.status is Status.BOUNCED):
        # What became of one of several devices: the worker reports the notification's own step beside it.
        return False
    if current is event.status:
        # Within one state a later attempt brings a newer reason, and a hard bounce a surer one.
        return not current.settled or event.reason is Reason.HARD_BOUNCE
    return current.can_become(event.status, reason)


def _reason(event: StatusEvent) -> Reason | None:
    # Else the state would keep the remark or not, depending on which report came first.
    return None if event.reason in REMARKS else event.reason


def _move_columns(moves: Sequence[StatusEvent]) -> list[list[Any]]:
    """Of each notification that moved: its id, its last state with its reason, and when it first moved."""
    last = {event.notification_id: event for event in moves}
    first = {event.notification_id: event.at for event in reversed(moves)}
    return [
        list(last),
        [event.status for event in last.values()],
        [_reason(event) for event in last.values()],
        [first[own_id] for own_id in last],
    ]


_EVENT_FIELDS = (
    "notification_id",
    "attempt",
    "status",
    "at",
    "reason",
    "detail",
    "provider",
    "provider_ref",
    "next_attempt_at",
    "target",
    "trace",
)


def _event_columns(events: Sequence[StatusEvent]) -> list[list[Any]]:
    return [[_storable(getattr(event, name)) for event in events] for name in _EVENT_FIELDS]


def _storable(value: object) -> object:
    if isinstance(value, list):  # the trace, as text: asyncpg would take a list of lists for a matrix
        return msgspec.json.encode(value).decode() if value else None
    # A provider's words may hold U+0000, which PostgreSQL's text cannot.
    return value.replace("\0", "") if isinstance(value, str) else value


_LOCK_STATES = """
select id, status, reason, fallback_id, redacted_at
from notifications where id = any($1::uuid[]) and id between $2 and $3
order by id for update
"""
_INSERT_EVENTS = """
insert into events
    (notification_id, attempt, status, at, reason, detail, provider, provider_ref, next_attempt_at, target,
     trace)
select notification_id, attempt, status, at, reason, detail, provider, provider_ref, next_attempt_at, target,
     trace::jsonb
from unnest($1::uuid[], $2::smallint[], $3::text[], $4::timestamptz[], $5::text[], $6::text[],
                     $7::text[], $8::text[], $9::timestamptz[], $10::text[], $11::text[])
    as incoming (notification_id, attempt, status, at, reason, detail, provider, provider_ref,
                 next_attempt_at, target, trace)
on conflict do nothing
"""
# What a worker speaks of was queued, even if the gateway that published it has not marked it yet.
_MOVE_STATES = """
update notifications n
set status = moved.status, reason = moved.reason, updated_at = $5,
    queued_at = case when n.status = any($8::text[])
        then coalesce(n.queued_at, greatest(n.accepted_at, least(moved.at, $5))) else n.queued_at end
from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as moved (id, status, reason, at)
where n.id = moved.id and n.id between $6 and $7
"""
