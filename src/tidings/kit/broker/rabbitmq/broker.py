"""The broker port on RabbitMQ, put together."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tidings.kit.broker.port import Consumer, Handler, Message, Topology
from tidings.kit.broker.rabbitmq.consumer import RabbitConsumer
from tidings.kit.broker.rabbitmq.publisher import Publisher
from tidings.kit.broker.rabbitmq.topology import Layout
from tidings.kit.broker.rabbitmq.wire import outgoing


class RabbitBroker:
    """Publishes over one connection; each consumer has its own."""

    def __init__(self, url: str, layout: Layout, publisher: Publisher) -> None:
        self._url = url
        self._layout = layout
        self._publisher = publisher
        self._consumers: list[RabbitConsumer] = []

    async def publish(self, queue: str, messages: Sequence[Message]) -> None:
        """Return when every message is on the disks of a majority of the queue's nodes."""
        route = self._layout.route(queue)
        await self._publisher.send(route, [outgoing(message) for message in messages])

    async def consume(self, queue: str, handler: Handler, *, concurrency: int) -> Consumer:
        """Run `handler` for the queue's messages, at most `concurrency` at once, until stopped."""
        self._layout.route(queue)
        consumer = RabbitConsumer(
            self._url, self._layout, self._publisher, queue=queue, handler=handler, concurrency=concurrency
        )
        self._consumers.append(consumer)
        return consumer

    async def depth(self, queue: str) -> int:
        """Messages waiting in the queue now, without those handed out or delayed."""
        self._layout.route(queue)
        return (await self._publisher.inspect(queue)).waiting

    async def ping(self) -> None:
        """Raise unless the broker answers on the publishing connection."""
        await self._publisher.inspect(self._layout.failed_queue)

    async def close(self) -> None:
        """Stop what still consumes, and disconnect."""
        for consumer in self._consumers:
            await consumer.stop(limit=0)
        await self._publisher.close()


@asynccontextmanager
async def open_rabbitmq(url: str, topology: Topology, publish_limit: float) -> AsyncIterator[RabbitBroker]:
    """A broker at an `amqp://` URL. It connects when it is first used."""
    layout = Layout(topology)
    broker = RabbitBroker(url, layout, Publisher(url, layout, publish_limit))
    try:
        yield broker
    finally:
        await broker.close()
