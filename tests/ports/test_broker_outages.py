"""The broker port when a broker or a consumer dies. Each test runs on every engine."""

import asyncio
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from ports.conftest import Engine, OpenAnother
from ports.scripted import Gate, Script, messages
from support.polling import eventually
from tidings.contracts.queues import Topology
from tidings.kit.broker.port import Broker, BrokerUnavailable, Message

HANGING_CONSUMER = Path(__file__).with_name("hanging_consumer.py")


async def test_published_is_durable(engine: Engine, open_another: OpenAnother, queue: str) -> None:
    """What was published outlives a power cut; a consumer started during the outage gets it after."""
    script = Script()
    async with open_another() as publisher, open_another() as other:
        await publisher.publish(queue, messages(50))
        engine.node.kill()
        try:
            await other.consume(queue, script, concurrency=10)
        finally:
            await asyncio.to_thread(engine.node.start)
        await eventually(lambda: len(script.ids) == 50)
        assert script.ids == Counter(message.id for message in messages(50))


async def test_killed_consumer(engine: Engine, broker: Broker, queue: str, topology: Topology) -> None:
    """A message in the hands of a process that is killed goes to another consumer, as redelivered."""
    await broker.publish(queue, messages(1))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HANGING_CONSUMER),
        engine.url,
        msgspec.json.encode(topology).decode(),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    assert await process.stderr.readline() == b"m0\n"
    process.kill()
    await process.communicate()
    script = Script()
    await broker.consume(queue, script, concurrency=1)
    await eventually(lambda: len(script.deliveries) == 1, within=20)  # well before a lease would run out
    assert script.deliveries[0].redelivered
    assert script.deliveries[0].attempt == 1


async def test_handler_outlives_the_broker(engine: Engine, broker: Broker, queue: str) -> None:
    """A handler that runs while the broker restarts is not run again: its outcome settles the message."""
    gate = Gate()
    await broker.publish(queue, messages(2))
    consumer = await broker.consume(queue, gate, concurrency=1)
    await eventually(lambda: gate.waiting == 1)
    engine.node.kill()
    await asyncio.to_thread(engine.node.start)
    gate.open.set()
    await eventually(lambda: gate.finished == 2)
    await consumer.stop(limit=30)
    assert Counter(delivery.message.id for delivery in gate.deliveries) == Counter(["m0", "m1"])
    assert gate.most_waiting == 1
    assert await broker.depth(queue) == 0


async def test_broker_restarts_under_load(engine: Engine, broker: Broker, queue: str) -> None:
    """A broker stopped and started under load loses nothing: every confirmed message is handled."""
    script = Script()
    await broker.consume(queue, script, concurrency=10)
    stop_publishing = asyncio.Event()
    publishing = asyncio.create_task(_publish_until(stop_publishing, broker, queue))
    await eventually(lambda: len(script.ids) > 20)
    await asyncio.to_thread(engine.node.stop)
    await asyncio.to_thread(engine.node.start)
    handled_before = len(script.ids)
    await eventually(lambda: len(script.ids) > handled_before + 20)
    stop_publishing.set()
    confirmed = await publishing
    await eventually(lambda: confirmed <= script.ids.keys())


async def test_publish_while_the_broker_is_down(
    engine: Engine, open_another: OpenAnother, queue: str
) -> None:
    """Publishing to a broker that is away fails at once, and works again by itself when it is back."""
    async with open_another() as broker:
        await broker.publish(queue, messages(1))
        await asyncio.to_thread(engine.node.stop)
        try:
            async with asyncio.timeout(30):
                with pytest.raises(BrokerUnavailable, match=r"publishing to|not confirmed"):
                    await broker.publish(queue, messages(1))
                with pytest.raises(BrokerUnavailable, match="asking for"):
                    await broker.ping()
        finally:
            await asyncio.to_thread(engine.node.start)
        await broker.publish(queue, messages(1))
        assert await broker.depth(queue) == 2


async def test_publish_to_a_hanging_broker(engine: Engine, open_another: OpenAnother, queue: str) -> None:
    """Publishing to a broker that takes connections but does not answer fails within its limit."""
    async with open_another(publish_limit=0.5) as broker:
        await _publish_confirmed(broker, queue, Message("m0", b"{}"))
        engine.node.pause()
        try:
            async with asyncio.timeout(30):
                for _ in range(2):
                    with pytest.raises(BrokerUnavailable, match=r"did not answer within 0\.5 s"):
                        await broker.publish(queue, messages(1))
        finally:
            engine.node.resume()
        await _publish_confirmed(broker, queue, Message("m1", b"{}"))


async def _publish_until(stop: asyncio.Event, broker: Broker, queue: str) -> set[str]:
    """Publish one message after the other, each until it is confirmed; their ids."""
    confirmed: set[str] = set()
    while not stop.is_set():
        message = Message(f"m{len(confirmed)}", b"{}")
        await _publish_confirmed(broker, queue, message)
        confirmed.add(message.id)
    return confirmed


async def _publish_confirmed(broker: Broker, queue: str, message: Message) -> None:
    while True:
        try:
            await broker.publish(queue, [message])
        except BrokerUnavailable:
            await asyncio.sleep(0.05)
        else:
            return
