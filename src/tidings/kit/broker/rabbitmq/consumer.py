"""Consuming: a session that is built again whenever any part of it goes, and handlers that outlive it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import structlog
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from tidings.kit.broker.handling import Handling
from tidings.kit.broker.port import BrokerUnavailable, Handler
from tidings.kit.broker.rabbitmq.link import Link, open_link, trouble_as_unavailable
from tidings.kit.broker.rabbitmq.publisher import Publisher
from tidings.kit.broker.rabbitmq.settling import Settler
from tidings.kit.broker.rabbitmq.topology import Layout
from tidings.kit.broker.rabbitmq.wire import delivery_of, early_by

_ANSWER_LIMIT = 10.0
_WATCH_INTERVAL = 10.0  # a connection can look well while the broker has forgotten its consumer
_SECOND_LOOK = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0
_SLACK = 0.1  # seconds early that are slept through here: clocks and the broker's timers differ a little

_log = structlog.get_logger(__name__)


class RabbitConsumer:
    """One queue's consumption, from its making until `stop`."""

    def __init__(
        self,
        url: str,
        layout: Layout,
        publisher: Publisher,
        *,
        queue: str,
        handler: Handler,
        concurrency: int,
    ) -> None:
        self._url = url
        self._layout = layout
        self._queue = queue
        self._concurrency = concurrency
        self._handling = Handling(queue, handler, concurrency)
        self._settler = Settler(layout, publisher)
        self._intake: tuple[AbstractQueue, str] | None = None
        self._taken = 0
        self._stopping = False
        self._loop = asyncio.create_task(self._keep_consuming())

    @property
    def in_flight(self) -> int:
        """Handlers running now."""
        return self._handling.in_flight

    async def stop(self, *, limit: float) -> None:
        """Take no more work, let running handlers finish for `limit` seconds, hand the rest back."""
        self._stopping = True
        if self._intake is not None:
            queue, tag = self._intake
            with suppress(BrokerUnavailable):
                async with trouble_as_unavailable(f"leaving {self._queue}", _ANSWER_LIMIT):
                    await queue.cancel(tag)
        await self._handling.stop(limit=limit)
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)

    async def _keep_consuming(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping:
            try:
                async with self._session() as link:
                    pause = _FIRST_PAUSE
                    await self._watch(link)
            except BrokerUnavailable as error:
                _log.warning("consumer_waits_for_broker", queue=self._queue, error=str(error), retry_in=pause)
            except Exception:  # noqa: BLE001 - a consumer that ends in silence is worse than one that goes on
                _log.exception("consumer_session_failed", queue=self._queue, retry_in=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Link]:
        """Connect and begin to consume."""
        async with trouble_as_unavailable(f"consuming {self._queue}", _ANSWER_LIMIT):
            link = await open_link(self._url, self._layout, purpose=f"consume {self._queue}")
        try:
            async with trouble_as_unavailable(f"consuming {self._queue}", _ANSWER_LIMIT):
                await self._begin(link)
            yield link
        finally:
            self._intake = None
            await link.close()

    async def _begin(self, link: Link) -> None:
        await link.channel.set_qos(prefetch_count=self._concurrency)
        (await link.channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(link.lose)
        queue = await link.channel.get_queue(self._queue, ensure=False)
        self._intake = queue, await queue.consume(partial(self._take, link))
        _log.info("consumer_started", queue=self._queue, concurrency=self._concurrency)

    async def _watch(self, link: Link) -> None:
        """End only by raising: the link is lost, or the broker cancelled us, or it hands us nothing more."""
        suspicious, taken = False, self._taken
        while not await _is_set_within(link.lost, _SECOND_LOOK if suspicious else _WATCH_INTERVAL):
            async with trouble_as_unavailable(f"watching {self._queue}", _ANSWER_LIMIT):
                counts = await link.inspect(self._queue)
            starved = bool(counts.waiting) and self._taken == taken and not self.in_flight
            if not self._stopping and (not counts.consumers or (starved and suspicious)):
                raise BrokerUnavailable(f"RabbitMQ has forgotten the consumer of {self._queue}")
            suspicious, taken = starved, self._taken
        raise BrokerUnavailable(f"RabbitMQ closed the channel that consumes {self._queue}, or its consumer")

    async def _take(self, link: Link, incoming: AbstractIncomingMessage) -> None:
        """Hand the message to its handler, or on to its next waiting tier. Cancelled with the channel."""
        self._taken += 1
        delivery = delivery_of(incoming, self._queue)
        early = early_by(incoming)
        if early > _SLACK:
            await self._settler.wait_on(link, incoming, delivery, time.time() + early)
            return
        await asyncio.sleep(max(early, 0))
        self._handling.start(delivery, partial(self._settler.settle, link, incoming, delivery))


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
