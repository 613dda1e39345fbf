"""Status events on their way to the gateway: many messages' events share one publish."""

import asyncio
from collections.abc import Sequence

import msgspec

from tidings.contracts.messages import StatusEvent, StatusReport
from tidings.contracts.queues import STATUS_QUEUE
from tidings.kit.batching import Batcher
from tidings.kit.broker.port import Broker, Message
from tidings.kit.ids import new_id
from tidings.kit.telemetry import trace_headers

EVENTS_PER_REPORT = 100


class Reporter:
    """Publishes status events; `report` returns when they are durable."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._batches: Batcher[StatusEvent, None] = Batcher(self._publish, max_size=EVENTS_PER_REPORT)

    async def report(self, *events: StatusEvent) -> None:
        """Hand in events of one message.

        Raises:
            BrokerUnavailable: not durable; the message they speak of must not be settled.
        """
        if len(events) == 1:  # as of every email: it needs no task of its own
            await self._batches.submit(events[0])
        else:
            await asyncio.gather(*map(self._batches.submit, events))

    async def _publish(self, events: list[StatusEvent]) -> Sequence[None]:
        body = msgspec.json.encode(StatusReport(events=events))
        await self._broker.publish(STATUS_QUEUE, [Message(str(new_id()), body, trace_headers())])
        return [None] * len(events)
