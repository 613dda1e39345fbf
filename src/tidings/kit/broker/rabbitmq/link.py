"""One connection with one channel, and what is known about its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, TimeoutType
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from aiormq.channel import Channel

from tidings.kit.broker.port import BrokerUnavailable
from tidings.kit.broker.rabbitmq.topology import Layout, declare

_HEARTBEAT = 12  # seconds; the client gives a silent broker up after three
_CLOSE_LIMIT = 3.0


@asynccontextmanager
async def trouble_as_unavailable(doing: str, limit: float) -> AsyncIterator[None]:
    """Whatever the broker or the way to it does wrong within, or not in `limit` seconds, is one error.

    Raises:
        BrokerUnavailable: it says what was being done, and why that failed.
    """
    try:
        async with asyncio.timeout(limit):
            yield
    except BrokerUnavailable:
        raise
    except TimeoutError as error:
        raise BrokerUnavailable(f"{doing}: RabbitMQ did not answer within {limit:g} s") from error
    except asyncio.CancelledError as error:
        # The client cancels the calls that wait on a connection it loses; that is not our cancellation.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise BrokerUnavailable(f"{doing}: the connection to RabbitMQ was lost") from error
    except CONNECTION_EXCEPTIONS as error:
        raise BrokerUnavailable(f"{doing}: {error!r}") from error


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """What the broker says of a queue: messages ready to be handed out, and consumers."""

    waiting: int
    consumers: int


@dataclass(slots=True)
class Link:
    """An open channel on a connection of its own. `lost` is set when either is gone."""

    connection: AbstractConnection
    channel: AbstractChannel
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    def lose(self, *_: object) -> None:
        """Note that the link is of no more use."""
        self.lost.set()

    async def underlay(self) -> Channel:
        """The channel as the library below aio-pika has it."""
        channel = await self.channel.get_underlay_channel()
        if not isinstance(channel, Channel):
            raise TypeError(f"aio-pika runs on {type(channel)}")
        return channel

    async def inspect(self, queue: str) -> QueueCounts:
        """The broker's own count of the queue's waiting messages and of its consumers."""
        # A fresh channel below aio-pika: its own channels leave a callback on the connection each.
        transport = self.connection.transport
        if transport is None:
            raise BrokerUnavailable(f"asking for {queue}: the connection to RabbitMQ was lost")
        channel = await transport.connection.channel(publisher_confirms=False)
        try:
            answer = await channel.queue_declare(queue, passive=True)
        finally:
            await channel.close()
        return QueueCounts(answer.message_count or 0, answer.consumer_count or 0)

    async def close(self) -> None:
        """Close the connection; what is unsettled goes back to its queue."""
        self.lose()
        with suppress(BrokerUnavailable):
            async with trouble_as_unavailable("closing", _CLOSE_LIMIT):
                await self.connection.close()


class _Connection(aio_pika.Connection):
    """One that is closed when it could not be opened: else it would try to close when it is collected."""

    async def connect(self, timeout: TimeoutType = None) -> None:  # noqa: ASYNC109 - as the library has it
        try:
            await super().connect(timeout)
        except BaseException:
            await self.close()
            raise


async def open_link(url: str, layout: Layout, *, purpose: str) -> Link:
    """Connect, declare the topology and open a confirming channel. `purpose` is shown to the operator."""
    connection = await aio_pika.connect(
        url,
        heartbeat=_HEARTBEAT,
        client_properties={"connection_name": f"{layout.direct}: {purpose}"},
        connection_class=_Connection,
    )
    try:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        link = Link(connection, channel)
        channel.close_callbacks.add(link.lose)
        connection.close_callbacks.add(link.lose)
        await declare(channel, layout)
    except BaseException:
        await connection.close()
        raise
    return link
