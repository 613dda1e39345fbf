"""Publishing: confirmed, mandatory, persistent, many at once, always within a time limit."""

import asyncio
from collections.abc import Sequence

from aio_pika.exceptions import DeliveryError, PublishError

from tidings.kit.broker.port import BrokerUnavailable
from tidings.kit.broker.rabbitmq.bursts import publish_burst
from tidings.kit.broker.rabbitmq.link import Link, QueueCounts, open_link, trouble_as_unavailable
from tidings.kit.broker.rabbitmq.topology import Layout, Route
from tidings.kit.broker.rabbitmq.wire import Outgoing

_WINDOW = 1000  # messages that wait for their confirms together


class Publisher:
    """A connection for publishing only: the broker blocks those when it is short of memory or disk."""

    def __init__(self, url: str, layout: Layout, limit: float) -> None:
        self._url = url
        self._layout = layout
        self._limit = limit
        self._link: Link | None = None
        self._opening = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def send(self, route: Route, messages: Sequence[Outgoing]) -> None:
        """Return when the broker has every message on disk. The limit holds for each thousand of them.

        Raises:
            BrokerUnavailable: not confirmed in time, or refused because the queue is full.
        """
        for start in range(0, len(messages), _WINDOW):
            await self._send_window(route, messages[start : start + _WINDOW])

    async def inspect(self, queue: str) -> QueueCounts:
        """The broker's counts of a queue, within the limit."""
        async with trouble_as_unavailable(f"asking for {queue}", self._limit):
            link = await self._open()
            return await link.inspect(queue)

    async def close(self) -> None:
        """Close the connection."""
        if self._link is not None:
            self._drop(self._link)
        await asyncio.gather(*self._closing)

    async def _send_window(self, route: Route, messages: Sequence[Outgoing]) -> None:
        link: Link | None = None
        try:
            async with trouble_as_unavailable(f"publishing to {route.routing_key}", self._limit):
                link = await self._open()
                outcomes = await publish_burst(link, route, messages)
        except BrokerUnavailable:
            self._drop(link)
            raise
        failures = [outcome for outcome in outcomes if outcome is not None]
        if not failures:
            return
        if not all(map(_is_refusal, failures)):
            self._drop(link)
        raise BrokerUnavailable(
            f"{route.routing_key}: {len(failures)} of {len(messages)} messages not confirmed: {failures[0]!r}"
        )

    async def _open(self) -> Link:
        async with self._opening:
            if self._link is None or self._link.lost.is_set():
                self._drop(self._link)
                self._link = await open_link(self._url, self._layout, purpose="publish")
            return self._link

    def _drop(self, link: Link | None) -> None:
        """Let the next call connect anew: a broker that does not answer may be gone without a word."""
        if link is None or link is not self._link:
            return
        self._link = None
        task = asyncio.create_task(link.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _is_refusal(failure: BaseException) -> bool:
    """The queue is full, and the connection well. A returned message misses its queue: declare it anew."""
    return isinstance(failure, DeliveryError) and not isinstance(failure, PublishError)
