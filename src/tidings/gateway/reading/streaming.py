"""Streams of server-sent events, from a notification's life or from the feed (WHATWG HTML, section 9.2)."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final
from uuid import UUID

import msgspec

from tidings.contracts.codes import Status
from tidings.contracts.events import NotificationStep
from tidings.gateway.reading.feed import PAGE, Feed, Place
from tidings.gateway.reading.step_store import Life, Position, StepStore
from tidings.gateway.reading.subscription import End, Subscription, Wants
from tidings.kit.errors import Malformed, Unavailable
from tidings.kit.ids import now

HEARTBEAT_SECONDS: Final = 15.0
QUEUED_SECONDS: Final = 1.0
"""How often to look whether a notification was queued, which no event tells."""
STREAM_SECONDS: Final = 900.0
"""How long a stream lasts; then the reader shows its credential anew."""
_HEARTBEAT: Final = b": still here\n\n"
_IN_LIFE = re.compile(r"([0-9]{1,18})(q?)", re.ASCII)
_IN_FEED = re.compile(r"([0-9]{1,18})-([0-9]{1,18})", re.ASCII)


class LifeCursor(msgspec.Struct):
    """How much of one notification's life a reader has: the greatest number, and whether it was queued."""

    number: int = -1
    queued: bool = False

    @property
    def text(self) -> str:
        """As an event's id."""
        return f"{max(self.number, 0)}{'q' if self.queued else ''}"


def life_cursor_of(last_event_id: str | None) -> LifeCursor:
    """Where a reader was.

    Raises:
        Malformed: no event of such a stream has this id.
    """
    if last_event_id is None:
        return LifeCursor()
    found = _IN_LIFE.fullmatch(last_event_id)
    if found is None:
        raise _foreign(last_event_id)
    return LifeCursor(int(found[1]), bool(found[2]))


def position_in_feed(last_event_id: str | None) -> Position | None:
    """Where a reader was; None for the present.

    Raises:
        Malformed: no event of such a stream has this id.
    """
    if last_event_id is None:
        return None
    found = _IN_FEED.fullmatch(last_event_id)
    if found is None:
        raise _foreign(last_event_id)
    return Position(int(found[1]), int(found[2]))


async def follow_one(
    store: StepStore, feed: Feed, notification_id: UUID, cursor: LifeCursor, *, to_the_end: bool
) -> AsyncGenerator[bytes, None]:
    """The life of a notification that there is: what is known, and then each step as it becomes known.

    It ends when the notification is settled, unless it is to be followed `to_the_end`.
    """
    deadline = _now() + STREAM_SECONDS
    with feed.subscribed(lambda step: step.notification_id == notification_id) as subscription:
        await feed.present()
        while True:
            life = await store.life(notification_id, after=cursor.number)
            if life is None:  # erased meanwhile
                return
            for chunk in _news(life, cursor):
                yield chunk
            if life.status.settled and not to_the_end:
                yield _event("settled", _json({"status": life.status}), None)
                return
            if not await subscription.take(within=_patience(life)):
                yield _HEARTBEAT
            if end := _end(subscription, deadline):
                yield _ended(end)
                return


async def follow_all(
    store: StepStore, feed: Feed, wants: Wants, position: Position | None
) -> AsyncGenerator[bytes, None]:
    """The wanted steps after `position`, or from now on, as they become known."""
    deadline = _now() + STREAM_SECONDS
    with feed.subscribed(wants) as subscription:
        present = await feed.present()
        done = position or present
        yield _event("open", b"{}", _text(done))
        while position is not None:
            read = await store.after(done, limit=PAGE)
            for placed in read.steps:
                done = placed.position
                if wants(placed.step):
                    yield _event("step", _json(placed.step), _text(done))
            if len(read.steps) < PAGE:
                break
        while True:
            taken = await subscription.take(within=HEARTBEAT_SECONDS)
            for placed in taken:
                if placed.position > done:
                    done = placed.position
                    yield _event("step", _json(placed.step), _text(done))
            if not taken:
                yield _HEARTBEAT
            if end := _end(subscription, deadline):
                yield _ended(end)
                return


async def served(chunks: AsyncGenerator[bytes, None], place: Place) -> AsyncGenerator[bytes, None]:
    """The stream as it goes out: its place is free once it ends, and a lost database is told."""
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk
    except Unavailable:
        yield _ended(End.DATABASE_DOWN)
    finally:
        place.leave()


def _patience(life: Life) -> float:
    """Seconds until it is worth looking again, unless an event comes before."""
    if life.status is Status.SCHEDULED and life.send_at is not None:
        return min(HEARTBEAT_SECONDS, max(QUEUED_SECONDS, (life.send_at - now()).total_seconds()))
    return QUEUED_SECONDS if life.status is Status.ACCEPTED else HEARTBEAT_SECONDS


def _news(life: Life, cursor: LifeCursor) -> list[bytes]:
    """What a reader does not have yet; the cursor moves along."""
    chunks = []
    if cursor.number < 0:
        cursor.number = 0
        chunks.append(_event("step", _json(life.accepted), cursor.text))
        if life.send_at is not None:
            scheduled = msgspec.structs.replace(
                life.accepted, status=Status.SCHEDULED, next_attempt_at=life.send_at
            )
            chunks.append(_event("step", _json(scheduled), cursor.text))
    if life.queued_at is not None and not cursor.queued:
        cursor.queued = True
        queued = msgspec.structs.replace(life.accepted, status=Status.QUEUED, at=life.queued_at)
        chunks.append(_event("step", _json(queued), cursor.text))
    for number, step in life.steps:
        cursor.number = number
        chunks.append(_event("step", _json(step), cursor.text))
    return chunks


def _end(subscription: Subscription, deadline: float) -> End | None:
    return subscription.end or (End.RENEW if _now() >= deadline else None)


_WORDS = {
    End.TOO_SLOW: "Events came faster than they were read. Connect again to go on from the last one",
    End.SHUTDOWN: "This gateway is stopping. Connect again to go on from the last event",
    End.DATABASE_DOWN: "The database does not answer. Connect again to go on from the last event",
    End.RENEW: "A stream lasts 15 minutes. Connect again to go on from the last event",
}


def _ended(end: End) -> bytes:
    return _event("end", _json({"code": end, "detail": _WORDS[end]}), None)


def _event(kind: str, data: bytes, event_id: str | None) -> bytes:
    place = b"" if event_id is None else b"id: %s\n" % event_id.encode()
    return b"%sevent: %s\ndata: %s\n\n" % (place, kind.encode(), data)


def _json(value: NotificationStep | dict[str, str]) -> bytes:
    return msgspec.json.encode(value)


def _text(position: Position) -> str:
    return f"{position.transaction}-{position.number}"


def _now() -> float:
    return asyncio.get_running_loop().time()


def _foreign(last_event_id: str) -> Malformed:
    return Malformed(
        f"Last-Event-ID: {last_event_id[:50]!r} is not an id that this stream gave; connect without it",
        code="bad_last_event_id",
    )
