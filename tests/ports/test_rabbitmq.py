"""What only RabbitMQ can do to us: an operator who deletes queues, and publishers who are strangers."""

import aio_pika
import pytest

from ports.conftest import Engine
from ports.scripted import Script, messages
from support.polling import eventually
from support.servers import PATIENCE
from tidings.contracts.queues import Topology
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Broker, BrokerUnavailable

pytestmark = pytest.mark.rabbitmq


async def test_consumer_makes_a_deleted_queue_again(
    rabbit_engine: Engine, topology: Topology, queue: str
) -> None:
    """A consumer whose queue is deleted declares it again and goes on."""
    script = Script()
    async with open_broker(rabbit_engine.url, topology, publish_limit=PATIENCE) as broker:
        await broker.publish(queue, messages(1))
        await broker.consume(queue, script, concurrency=1)
        await eventually(lambda: len(script.deliveries) == 1)
        await _delete(rabbit_engine, queue)
        await eventually(lambda: _publishes_to_existing(broker, queue))
        await eventually(lambda: len(script.deliveries) == 2)


async def test_publisher_makes_a_deleted_queue_again(
    rabbit_engine: Engine, topology: Topology, queue: str
) -> None:
    """A message that reaches no queue is not confirmed; the next call declares what is missing."""
    async with open_broker(rabbit_engine.url, topology, publish_limit=PATIENCE) as broker:
        await broker.publish(queue, messages(1))
        await _delete(rabbit_engine, queue)
        with pytest.raises(BrokerUnavailable, match=r"1 of 1 messages not confirmed.*NO_ROUTE"):
            await broker.publish(queue, messages(1))
        await broker.publish(queue, messages(1))
        assert await broker.depth(queue) == 1


async def test_message_of_a_stranger(rabbit_engine: Engine, topology: Topology, queue: str) -> None:
    """A message that something else published, without an id and with odd headers, is handed out."""
    script = Script()
    async with (
        open_broker(rabbit_engine.url, topology, publish_limit=PATIENCE) as broker,
        await aio_pika.connect(rabbit_engine.url) as stranger,
    ):
        await broker.ping()
        channel = await stranger.channel()
        headers: aio_pika.abc.HeadersType = {"x-attempt": "many", "x-not-before": "soon", "count": 3}
        await channel.default_exchange.publish(aio_pika.Message(b"hello", headers=headers), queue)
        await broker.consume(queue, script, concurrency=1)
        await eventually(lambda: len(script.deliveries) == 1)
        delivery = script.deliveries[0]
        assert delivery.message.id
        assert delivery.attempt == 1
        assert delivery.message.headers == {"count": "3"}


async def _delete(engine: Engine, queue: str) -> None:
    async with await aio_pika.connect(engine.url) as operator:
        await (await operator.channel()).queue_delete(queue)


async def _publishes_to_existing(broker: Broker, queue: str) -> bool:
    """Publish unless that would make the queue, or find it made but not bound yet."""
    try:
        await broker.depth(queue)
        await broker.publish(queue, messages(1))
    except BrokerUnavailable:
        return False
    return True
