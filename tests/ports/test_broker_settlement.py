"""The broker port: delays, attempts and dead letters. Each test runs on every engine."""

from itertools import pairwise

import pytest

from ports.scripted import Script, messages
from support.polling import eventually
from tidings.contracts.queues import Topology
from tidings.kit.broker.handling import RAISED_DELAY, RAISED_LIMIT
from tidings.kit.broker.port import Broker, DeadLetter, Delay, HandBack, Message


async def test_delayed_retry_counts_attempts(broker: Broker, queue: str) -> None:
    """A delayed message comes back whole with the next attempt, or with the same if it is not counted."""
    script = Script(Delay(0.2), Delay(0.2, counted=False), Delay(0))
    message = Message("m1", b"body", {"traceparent": "00-ab-cd-01"})
    await broker.publish(queue, [message])
    await broker.consume(queue, script, concurrency=1)
    await eventually(lambda: len(script.deliveries) == 4)
    assert [delivery.attempt for delivery in script.deliveries] == [1, 2, 2, 3]
    assert all(delivery.message == message for delivery in script.deliveries)
    assert not any(delivery.redelivered for delivery in script.deliveries)


@pytest.mark.parametrize("seconds", [0.05, 0.5, 1.3])
async def test_any_delay(broker: Broker, queue: str, seconds: float) -> None:
    """A delay that fits no waiting tier is kept all the same: never earlier than asked."""
    script = Script(Delay(seconds), Delay(seconds))
    await broker.publish(queue, messages(1))
    await broker.consume(queue, script, concurrency=1)
    await eventually(lambda: len(script.deliveries) == 3)
    assert all(later - earlier >= seconds for earlier, later in pairwise(script.times))
    assert [delivery.attempt for delivery in script.deliveries] == [1, 2, 3]


async def test_any_delay_on_a_brief_queue(broker: Broker, topology: Topology) -> None:
    """A queue with the shortest waiting tier alone keeps a longer delay all the same."""
    script = Script(Delay(0.5))
    await broker.publish(topology.failed_queue, messages(1))
    await broker.consume(topology.failed_queue, script, concurrency=1)
    await eventually(lambda: len(script.deliveries) == 2)
    assert script.times[1] - script.times[0] >= 0.5
    assert [delivery.attempt for delivery in script.deliveries] == [1, 2]


async def test_delayed_messages_do_not_block_others(broker: Broker, queue: str) -> None:
    """A message that waits long does not hold up one that waits shortly, nor is it in the queue's depth."""
    script = Script(Delay(3600), Delay(0.2))
    await broker.publish(queue, messages(2))
    await broker.consume(queue, script, concurrency=1)
    await eventually(lambda: len(script.deliveries) == 3)
    assert [delivery.message.id for delivery in script.deliveries] == ["m0", "m1", "m1"]
    await eventually(lambda: _is_empty(broker, queue))  # between two tiers a message is there for a moment


async def test_dead_letter(broker: Broker, queue: str, topology: Topology) -> None:
    """A dead letter is on the failed queue, whole, with the reason, the detail and where it failed."""
    work, failed = Script(Delay(0), DeadLetter("recipient", "550 no such user \udcff")), Script()
    await broker.publish(queue, [Message("m1", b"\x00body", {"traceparent": "00-ab-cd-01"})])
    await broker.consume(queue, work, concurrency=1)
    await broker.consume(topology.failed_queue, failed, concurrency=1)
    await eventually(lambda: len(failed.deliveries) == 1)
    letter = failed.deliveries[0]
    assert letter.message == Message(
        "m1",
        b"\x00body",
        {
            "traceparent": "00-ab-cd-01",
            "x-reason": "recipient",
            "x-detail": "550 no such user ?",
            "x-queue": queue,
        },
    )
    assert (letter.queue, letter.attempt, letter.redelivered) == (topology.failed_queue, 1, False)
    assert len(work.deliveries) == 2


async def test_failed_queue_is_a_queue(broker: Broker, topology: Topology) -> None:
    """Messages of the failed queue can be published, delayed and acknowledged like any."""
    script = Script(Delay(0.2))
    await broker.publish(topology.failed_queue, messages(1))
    await broker.consume(topology.failed_queue, script, concurrency=1)
    await eventually(lambda: len(script.deliveries) == 2)
    assert [delivery.attempt for delivery in script.deliveries] == [1, 2]


async def test_handler_that_raises(broker: Broker, queue: str) -> None:
    """A handler that raises does not end its consumer: the message is tried again later."""
    script = Script(ValueError("a bug"))
    await broker.publish(queue, messages(2))
    await broker.consume(queue, script, concurrency=1)
    await eventually(lambda: len(script.deliveries) == 3)
    assert [delivery.attempt for delivery in script.deliveries] == [1, 1, 2]
    assert script.times[2] - script.times[0] >= RAISED_DELAY


async def test_handler_that_keeps_raising(broker: Broker, queue: str, topology: Topology) -> None:
    """A message whose handler raises on the last attempt becomes a dead letter that names the error."""
    work = Script(*[Delay(0)] * (RAISED_LIMIT - 1), ValueError("a bug"))
    failed = Script()
    await broker.publish(queue, messages(1))
    await broker.consume(queue, work, concurrency=1)
    await broker.consume(topology.failed_queue, failed, concurrency=1)
    await eventually(lambda: len(failed.deliveries) == 1)
    headers = failed.deliveries[0].message.headers
    assert headers["x-reason"] == "handler_failed"
    assert headers["x-detail"] == "ValueError('a bug')"


async def test_message_that_nobody_settles(broker: Broker, queue: str, topology: Topology) -> None:
    """A message handed out over and over without an outcome becomes a dead letter, on every engine alike."""
    work, failed = Script(*[HandBack()] * 50), Script()
    await broker.publish(queue, [Message("m1", b"body", {"traceparent": "00-ab-cd-01"})])
    await broker.consume(queue, work, concurrency=1)
    await broker.consume(topology.failed_queue, failed, concurrency=1)
    await eventually(lambda: len(failed.deliveries) == 1)
    letter = failed.deliveries[0]
    assert letter.message.body == b"body"
    assert letter.message.headers["x-reason"] == "delivery_limit"
    assert letter.message.headers["x-queue"] == queue
    assert letter.message.headers["traceparent"] == "00-ab-cd-01"
    assert letter.attempt == 1


async def _is_empty(broker: Broker, queue: str) -> bool:
    return await broker.depth(queue) == 0
