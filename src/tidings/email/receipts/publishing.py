"""Receipts on their way to the queue."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from tidings.contracts.messages import Receipt, ReceiptReport
from tidings.contracts.queues import RECEIPTS_QUEUE
from tidings.kit.broker.port import Broker, Message
from tidings.kit.ids import new_id
from tidings.kit.telemetry import trace_headers

RECEIPTS_PER_REPORT = 200

PublishReceipts = Callable[[Sequence[Receipt]], Awaitable[None]]


def receipts_publisher(broker: Broker) -> PublishReceipts:
    """What puts receipts on the queue, all in one publish, and returns when they are durable.

    It raises `BrokerUnavailable` when they are not: whoever brought them must bring them again.
    """

    async def publish(receipts: Sequence[Receipt]) -> None:
        headers = trace_headers()
        chunks = [
            list(receipts[start : start + RECEIPTS_PER_REPORT])
            for start in range(0, len(receipts), RECEIPTS_PER_REPORT)
        ]
        messages = [
            Message(str(new_id()), msgspec.json.encode(ReceiptReport(receipts=chunk)), headers)
            for chunk in chunks
        ]
        if messages:
            await broker.publish(RECEIPTS_QUEUE, messages)

    return publish
