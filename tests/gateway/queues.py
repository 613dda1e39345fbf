"""What is in a queue: a consumer that takes everything and remembers it."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tidings.contracts.queues import topology
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Acknowledge, Delivery, Settlement


class Taken:
    """What a consumer took."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []

    @property
    def ids(self) -> Counter[str]:
        """How often each message came."""
        return Counter(delivery.message.id for delivery in self.deliveries)

    def of(self, message_id: str) -> list[Delivery]:
        """The deliveries of one message."""
        return [delivery for delivery in self.deliveries if delivery.message.id == message_id]

    async def __call__(self, delivery: Delivery) -> Settlement:
        self.deliveries.append(delivery)
        return Acknowledge()


@asynccontextmanager
async def taking(broker_url: str, queue: str) -> AsyncIterator[Taken]:
    """Take everything from `queue` for as long as the block runs."""
    taken = Taken()
    async with open_broker(broker_url, topology()) as broker:
        consumer = await broker.consume(queue, taken, concurrency=100)
        try:
            yield taken
        finally:
            await consumer.stop(limit=5)
