"""What channel workers report: status events by notification, and dead letters."""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import msgspec

from support.polling import eventually
from tidings.contracts.codes import Status
from tidings.contracts.messages import StatusEvent, StatusReport
from tidings.contracts.queues import FAILED_QUEUE, STATUS_QUEUE
from tidings.kit.broker.port import Acknowledge, Broker, Delivery, Message, Settlement


class Reports:
    """Everything reported so far."""

    def __init__(self) -> None:
        self._events: defaultdict[UUID, list[StatusEvent]] = defaultdict(list)
        self.dead_letters: defaultdict[str, list[Message]] = defaultdict(list)

    def of(self, notification_id: UUID) -> list[StatusEvent]:
        """The events of one notification, in the order in which they came."""
        return list(self._events[notification_id])

    def steps(self, notification_id: UUID) -> list[tuple[Status, int]]:
        """The states of one notification, each with its attempt."""
        return [(event.status, event.attempt) for event in self._events[notification_id]]

    async def settled(self, notification_id: UUID) -> StatusEvent:
        """The first settled event of a notification, as soon as it is there."""
        await eventually(lambda: any(event.status.settled for event in self._events[notification_id]))
        return next(event for event in self._events[notification_id] if event.status.settled)

    async def next_of(self, notification_id: UUID, *, after: int = 0) -> StatusEvent:
        """The event that follows the first `after` ones of a notification."""
        await eventually(lambda: len(self._events[notification_id]) > after)
        return self._events[notification_id][after]

    async def take_report(self, delivery: Delivery) -> Settlement:
        for event in msgspec.json.decode(delivery.message.body, type=StatusReport).events:
            self._events[event.notification_id].append(event)
        return Acknowledge()

    async def take_dead_letter(self, delivery: Delivery) -> Settlement:
        self.dead_letters[delivery.message.id].append(delivery.message)
        return Acknowledge()


@asynccontextmanager
async def collecting(broker: Broker) -> AsyncIterator[Reports]:
    """Collect reports and dead letters for as long as the block runs."""
    reports = Reports()
    consumers = [
        await broker.consume(STATUS_QUEUE, reports.take_report, concurrency=10),
        await broker.consume(FAILED_QUEUE, reports.take_dead_letter, concurrency=10),
    ]
    try:
        yield reports
    finally:
        for consumer in consumers:
            await consumer.stop(limit=5)
