"""Events, written down for endpoints in the transaction that makes them true."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from uuid import UUID, uuid5

import asyncpg
import msgspec

from tidings.contracts.callbacks import (
    EndpointCallback,
    EndpointNews,
    EndpointStatus,
    EventType,
    NotificationCallback,
    NotificationNews,
)
from tidings.contracts.codes import Channel, Reason, Status
from tidings.contracts.messages import StatusEvent
from tidings.gateway.callbacks import outbox_store
from tidings.gateway.callbacks.outbox_store import Posting
from tidings.gateway.callbacks.subscriptions import Subscriptions
from tidings.kit.database import Connection
from tidings.kit.ids import new_id, now

_STATES: Final = {status: EventType(f"notification.{status}") for status in Status if status.settled}
_REMARKS: Final = {
    Reason.DEFERRED: EventType.DEFERRED,
    Reason.COMPLAINED: EventType.COMPLAINED,
    Reason.DISPLAYED: EventType.DISPLAYED,
    Reason.CLICKED: EventType.CLICKED,
}


class _Told(NamedTuple):
    type: EventType
    event: StatusEvent
    is_remark: bool

    @property
    def id(self) -> UUID:
        """The same for the same event, so that one reported twice is written down once."""
        event = self.event
        parts = (self.type, event.attempt, event.reason, event.target)
        return uuid5(event.notification_id, ":".join(map(str, parts)))


class CallbackOutbox:
    """Writes down what endpoints want to hear of. Without endpoints it costs nothing."""

    def __init__(self, subscriptions: Subscriptions, wake: Callable[[], None]) -> None:
        self._subscriptions = subscriptions
        self._wake = wake
        self._written = False

    async def record(
        self, connection: Connection, *, moves: Sequence[StatusEvent], remarks: Sequence[StatusEvent] = ()
    ) -> None:
        """Write events down in the caller's transaction, which has moved the states and holds their locks.

        Args:
            connection: inside the transaction.
            moves: each step that moved a state forward, in order.
            remarks: what was said about notifications without moving them; others are left out.
        """
        if not self._subscriptions.owners:
            return
        told: list[_Told] = [
            *(_Told(_STATES[one.status], one, is_remark=False) for one in moves if one.status in _STATES),
            *(_Told(_REMARKS[one.reason], one, is_remark=True) for one in remarks if one.reason in _REMARKS),
        ]
        if told:
            await self._write(connection, told)

    def announce(self) -> None:
        """What was recorded is committed now."""
        if self._written:
            self._written = False
            self._wake()

    async def _write(self, connection: Connection, told: Sequence[_Told]) -> None:
        ids = {one.event.notification_id for one in told}
        rows = await outbox_store.notifications(connection, list(ids), self._subscriptions.owners)
        chosen = [
            (one, row, endpoints)
            for one in told
            if (row := rows.get(one.event.notification_id))
            and (endpoints := self._subscriptions.wanted(row["owner"], one.type, Channel(row["channel"])))
        ]
        if not chosen:
            return
        numbers = await outbox_store.next_numbers(connection, len(chosen))
        postings = []
        for (one, row, endpoints), number in zip(chosen, numbers, strict=True):
            body = _body(one, row, number)
            postings += [
                Posting(new_id(), endpoint.endpoint_id, one.id, one.type, row["id"], body)
                for endpoint in endpoints
            ]
        await outbox_store.add(connection, postings)
        self._written = True


async def tell_others(connection: Connection, row: asyncpg.Record, news: EndpointNews) -> None:
    """Tell the owner's other endpoints that one of them (`row` has its id and owner) was stopped."""
    event = _STOPPED[news.status]
    found = await outbox_store.listeners(connection, row["owner"], event, without=row["id"])
    body = endpoint_body(event, news)
    event_id = new_id()
    await outbox_store.add(
        connection, [Posting(new_id(), endpoint_id, event_id, event, None, body) for endpoint_id in found]
    )


_STOPPED: Final = {
    EndpointStatus.SUSPENDED: EventType.ENDPOINT_SUSPENDED,
    EndpointStatus.DISABLED: EventType.ENDPOINT_DISABLED,
}


def endpoint_body(event: EventType, news: EndpointNews) -> bytes:
    """The body of a callback about an endpoint."""
    return msgspec.json.encode(EndpointCallback(type=event, timestamp=now(), data=news))


def _body(told: _Told, row: asyncpg.Record, number: int) -> bytes:
    """The body of a callback. Remarks, which are numbered last, carry the present state and not their own.

    So whoever keeps to the greatest number has the present state.
    """
    event = told.event
    news = NotificationNews(
        id=row["id"],
        request_id=row["request_id"],
        channel=row["channel"],
        user_id=row["user_id"],
        template_id=row["template_id"],
        template_version=row["template_version"],
        metadata=row["metadata"],
        sandbox=row["sandbox"],
        status=Status(row["status"]) if told.is_remark else event.status,
        reason=row["reason"] if told.is_remark else event.reason,
        detail=event.detail,
        attempt=event.attempt,
        provider=event.provider,
        provider_ref=event.provider_ref,
        target=event.target,
        accepted_at=row["accepted_at"],
        sequence=number,
    )
    return msgspec.json.encode(NotificationCallback(type=told.type, timestamp=event.at, data=news))
