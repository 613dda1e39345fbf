"""Settling: a copy is confirmed where it goes next before the original is acknowledged."""

import asyncio
import time
from contextlib import suppress

import structlog
from aio_pika.abc import AbstractIncomingMessage

from tidings.kit.broker.deadletters import dead_letter_headers
from tidings.kit.broker.port import (
    Acknowledge,
    BrokerUnavailable,
    DeadLetter,
    Delay,
    Delivery,
    HandBack,
    Message,
    Settlement,
)
from tidings.kit.broker.rabbitmq.link import Link, trouble_as_unavailable
from tidings.kit.broker.rabbitmq.publisher import Publisher
from tidings.kit.broker.rabbitmq.topology import Layout, Route
from tidings.kit.broker.rabbitmq.wire import Outgoing, outgoing

_ANSWER_LIMIT = 10.0
_PAUSE = 1.0

_log = structlog.get_logger(__name__)


class Settler:
    """Does on the broker what a settlement says. Each call returns False when the link is lost.

    The message was not settled then: the broker hands it out again by itself.
    """

    def __init__(self, layout: Layout, publisher: Publisher) -> None:
        self._layout = layout
        self._publisher = publisher

    async def settle(
        self, link: Link, incoming: AbstractIncomingMessage, delivery: Delivery, settlement: Settlement
    ) -> bool:
        """Settle one message over the link that it came by."""
        match settlement:
            case Acknowledge():
                return await _answer(link, incoming)
            case Delay(seconds, counted):
                attempt = delivery.attempt + counted
                return await self._wait(link, incoming, delivery, attempt, time.time() + seconds)
            case DeadLetter():
                headers = dead_letter_headers(delivery, settlement)
                letter = Message(delivery.message.id, delivery.message.body, headers)
                route = self._layout.route(self._layout.failed_queue)
                return await self._move(link, incoming, route, outgoing(letter))
            case HandBack():
                return await _answer(link, incoming, requeue=True)

    async def wait_on(
        self, link: Link, incoming: AbstractIncomingMessage, delivery: Delivery, not_before: float
    ) -> bool:
        """Send a message that came out of one tier before its time to the next."""
        return await self._wait(link, incoming, delivery, delivery.attempt, not_before)

    async def _wait(
        self,
        link: Link,
        incoming: AbstractIncomingMessage,
        delivery: Delivery,
        attempt: int,
        not_before: float,
    ) -> bool:
        seconds = not_before - time.time()
        if seconds > 0:
            route = self._layout.waiting_route(delivery.queue, seconds)
        else:
            route = self._layout.route(delivery.queue)
        copy = outgoing(delivery.message, attempt=attempt, not_before=not_before)
        return await self._move(link, incoming, route, copy)

    async def _move(
        self, link: Link, incoming: AbstractIncomingMessage, route: Route, copy: Outgoing
    ) -> bool:
        # As long as the original is ours, nobody else can do it; when the link is lost, it no longer is.
        while not link.lost.is_set():
            try:
                await self._publisher.send(route, [copy])
            except BrokerUnavailable as error:
                _log.warning("settlement_waits_for_broker", to=route.routing_key, error=str(error))
                with suppress(TimeoutError):
                    await asyncio.wait_for(link.lost.wait(), _PAUSE)
            else:
                return await _answer(link, incoming)
        return False


async def _answer(link: Link, incoming: AbstractIncomingMessage, *, requeue: bool = False) -> bool:
    """Acknowledge the original, or put it back."""
    if link.lost.is_set():
        return False
    try:
        async with trouble_as_unavailable("settling", _ANSWER_LIMIT):
            await (incoming.nack(requeue=True) if requeue else incoming.ack())
    except BrokerUnavailable as error:
        _log.info("settlement_dropped", message_id=incoming.message_id, error=str(error))
        return False
    return True
