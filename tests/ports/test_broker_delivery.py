"""The broker port: how messages get to handlers. Each test runs on every engine."""

import asyncio
from collections import Counter
from functools import partial

import pytest

from ports.conftest import OpenAnother
from ports.scripted import Gate, Script, messages
from support.polling import eventually
from tidings.contracts.queues import Topology
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Acknowledge, Broker, Delivery, HandBack, Message, Settlement


async def test_whole_message(broker: Broker, queue: str) -> None:
    """A handler gets the id, the body and the headers that were published, as a first attempt."""
    script = Script()
    message = Message("m1", b'{"schema": 1}', {"traceparent": "00-ab-cd-01", "correlation_id": "søk"})
    await broker.publish(queue, [message])
    await broker.consume(queue, script, concurrency=1)
    await eventually(lambda: len(script.deliveries) == 1)
    assert script.deliveries == [Delivery(queue, message, attempt=1, redelivered=False)]


@pytest.mark.parametrize(
    "body", [b"", b"\x00\xff not JSON", b"x" * 1024 * 1024], ids=["empty", "poison", "1 MiB"]
)
async def test_any_body(broker: Broker, queue: str, body: bytes) -> None:
    """A body arrives byte for byte, whatever it holds."""
    script = Script()
    await broker.publish(queue, [Message("m1", body)])
    await broker.consume(queue, script, concurrency=1)
    await eventually(lambda: len(script.deliveries) == 1)
    assert script.deliveries[0].message.body == body


async def test_acknowledged_messages_are_gone(broker: Broker, queue: str) -> None:
    """An acknowledged message is neither waiting nor handed out again."""
    script = Script()
    await broker.publish(queue, messages(20))
    assert await broker.depth(queue) == 20
    consumer = await broker.consume(queue, script, concurrency=5)
    await eventually(lambda: len(script.ids) == 20)
    await consumer.stop(limit=30)
    assert script.ids == Counter(message.id for message in messages(20))
    assert await broker.depth(queue) == 0


async def test_competing_consumers(open_another: OpenAnother, queue: str) -> None:
    """Two consumers share a queue: each message goes to one of them, and both get some."""
    gates = Gate(), Gate()
    async with open_another() as first, open_another() as second:
        for broker, gate in zip((first, second), gates, strict=True):
            await broker.consume(queue, gate, concurrency=3)
        await first.publish(queue, messages(40))
        await eventually(lambda: all(gate.waiting for gate in gates))
        for gate in gates:
            gate.open.set()
        await eventually(lambda: sum(gate.finished for gate in gates) == 40)
        ids = Counter(delivery.message.id for gate in gates for delivery in gate.deliveries)
        assert ids == Counter(message.id for message in messages(40))


async def test_concurrency_is_never_exceeded(broker: Broker, queue: str) -> None:
    """At most `concurrency` handlers run at once, and that many do; the rest of the messages wait."""
    gate = Gate()
    await broker.publish(queue, messages(12))
    consumer = await broker.consume(queue, gate, concurrency=4)
    await eventually(lambda: gate.waiting == 4)
    assert consumer.in_flight == 4
    assert await broker.depth(queue) == 8
    gate.open.set()
    await eventually(lambda: gate.finished == 12)
    assert gate.most_waiting == 4


async def test_idle_queue_delivers_at_once(broker: Broker, queue: str) -> None:
    """A consumer of an empty queue is woken: forty messages, one after the other, take no polling."""
    script = Script()
    await broker.consume(queue, script, concurrency=1)
    async with asyncio.timeout(30):  # polling each second would take about forty
        for number, message in enumerate(messages(40)):
            await broker.publish(queue, [message])
            await eventually(partial(_has_seen, script, number + 1))


async def test_graceful_stop_finishes_work(broker: Broker, queue: str) -> None:
    """Stopping takes no more messages, waits for the running handlers and settles what they return."""
    gate = Gate()
    await broker.publish(queue, messages(5))
    consumer = await broker.consume(queue, gate, concurrency=2)
    await eventually(lambda: gate.waiting == 2)
    stopping = asyncio.create_task(consumer.stop(limit=30))
    await broker.ping()  # by its answer the consumer has told the broker that it takes no more
    gate.open.set()
    await stopping
    assert gate.finished == 2
    assert consumer.in_flight == 0
    await eventually(lambda: _depth_is(broker, queue, 3))


async def test_stop_hands_back_what_does_not_finish(broker: Broker, queue: str) -> None:
    """What a stopping consumer cannot finish in time goes to another one, marked as redelivered."""
    gate, script = Gate(), Script()
    await broker.publish(queue, messages(3))
    consumer = await broker.consume(queue, gate, concurrency=2)
    await eventually(lambda: gate.waiting == 2)
    await consumer.stop(limit=0)
    await broker.consume(queue, script, concurrency=2)
    await eventually(lambda: len(script.deliveries) == 3)
    redelivered = {delivery.message.id for delivery in script.deliveries if delivery.redelivered}
    assert redelivered == {delivery.message.id for delivery in gate.deliveries}


async def test_hand_back(open_another: OpenAnother, queue: str) -> None:
    """A message handed back is handed out again at once, with the same attempt."""
    async with open_another() as broker:
        script = Script(HandBack())
        await broker.publish(queue, messages(1))
        await broker.consume(queue, script, concurrency=1)
        await eventually(lambda: len(script.deliveries) == 2)
        assert [(delivery.attempt, delivery.redelivered) for delivery in script.deliveries] == [
            (1, False),
            (1, True),
        ]


async def test_messages_with_one_id_are_all_handled(broker: Broker, queue: str) -> None:
    """The id does not deduplicate: several messages may carry the same one."""
    bodies: list[bytes] = []

    async def collect(delivery: Delivery) -> Settlement:
        bodies.append(delivery.message.body)
        return Acknowledge()

    await broker.publish(queue, [Message("m1", b"sent"), Message("m1", b"delivered"), Message("m1", b"sent")])
    await broker.consume(queue, collect, concurrency=3)
    await eventually(lambda: len(bodies) == 3)
    assert Counter(bodies) == Counter([b"sent", b"sent", b"delivered"])


async def test_unknown_queue(broker: Broker) -> None:
    """A queue that the topology does not have is a mistake that the error names."""
    with pytest.raises(ValueError, match=r"no queue 'sms\.queue' in the topology, only .*work\.queue"):
        await broker.publish("sms.queue", messages(1))


async def test_ping(broker: Broker) -> None:
    """A broker that answers can be pinged."""
    await broker.ping()


def test_unknown_scheme(topology: Topology) -> None:
    """A URL for no engine that we know is refused with the ones that we do."""
    with pytest.raises(ValueError, match="no broker speaks 'kafka': the URL must start with amqp://"):
        open_broker("kafka://localhost", topology)


def _has_seen(script: Script, count: int) -> bool:
    return len(script.deliveries) == count


async def _depth_is(broker: Broker, queue: str, expected: int) -> bool:
    return await broker.depth(queue) == expected
