"""The broker port on PostgreSQL, put together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tidings.kit.broker.port import BrokerUnavailable, Consumer, Handler, Message, Topology
from tidings.kit.broker.postgres import store
from tidings.kit.broker.postgres.consumer import PostgresConsumer
from tidings.kit.broker.postgres.schema import Connection, ensure_schema
from tidings.kit.broker.postgres.session import TROUBLE

_POOL_SIZE = 4
_CLOSE_LIMIT = 3.0


class PostgresBroker:
    """Publishes over a small pool; each consumer has a connection of its own."""

    def __init__(self, url: str, topology: Topology, pool: "asyncpg.Pool[Any]", limit: float) -> None:
        self._url = url
        self._failed_queue = topology.failed_queue
        self._queues = {*(spec.name for spec in topology.queues), topology.failed_queue}
        self._pool = pool
        self._limit = limit
        self._consumers: list[PostgresConsumer] = []

    async def publish(self, queue: str, messages: Sequence[Message]) -> None:
        """Return when every message is committed: all of them are, or none."""
        self._check(queue)
        if messages:
            async with self._connection(f"publishing to {queue}") as connection:
                await store.insert(connection, queue, messages)

    async def consume(self, queue: str, handler: Handler, *, concurrency: int) -> Consumer:
        """Run `handler` for the queue's messages, at most `concurrency` at once, until stopped."""
        self._check(queue)
        consumer = PostgresConsumer(
            self._url, queue=queue, failed_queue=self._failed_queue, handler=handler, concurrency=concurrency
        )
        self._consumers.append(consumer)
        return consumer

    async def depth(self, queue: str) -> int:
        """Messages waiting in the queue now, without those handed out or delayed."""
        self._check(queue)
        async with self._connection(f"asking for {queue}") as connection:
            return await store.waiting(connection, queue)

    async def ping(self) -> None:
        """Raise unless PostgreSQL answers."""
        async with self._connection("asking for life") as connection:
            await connection.execute("SELECT")

    async def close(self) -> None:
        """Stop what still consumes, and disconnect."""
        for consumer in self._consumers:
            await consumer.stop(limit=0)
        try:
            async with asyncio.timeout(_CLOSE_LIMIT):
                await self._pool.close()
        except TROUBLE:
            self._pool.terminate()

    def _check(self, queue: str) -> None:
        if queue not in self._queues:
            raise ValueError(f"no queue {queue!r} in the topology, only {', '.join(sorted(self._queues))}")

    @asynccontextmanager
    async def _connection(self, doing: str) -> AsyncIterator[Connection]:
        try:
            async with asyncio.timeout(self._limit):
                connection = await self._pool.acquire()
                try:
                    yield connection
                except BaseException:
                    # Nothing is known of its state, and a server that keeps us waiting would go on so.
                    connection.terminate()
                    raise
                finally:
                    await self._pool.release(connection)
        except TimeoutError as error:
            raise BrokerUnavailable(f"{doing}: PostgreSQL did not answer within {self._limit:g} s") from error
        except TROUBLE as error:
            raise BrokerUnavailable(f"{doing}: {error!r}") from error


async def _leave_as_it_is(_connection: Connection) -> None:
    """No statement here changes its session, so resetting it would only cost a round trip."""


@asynccontextmanager
async def open_postgres(url: str, topology: Topology, publish_limit: float) -> AsyncIterator[PostgresBroker]:
    """A broker at a `postgresql://` URL whose role owns the schema `broker` or may create it.

    It connects when it is first used.
    """
    pool = await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=_POOL_SIZE,
        init=ensure_schema,
        reset=_leave_as_it_is,
        server_settings={"application_name": "tidings-broker"},
    )
    broker = PostgresBroker(url, topology, pool, publish_limit)
    try:
        yield broker
    finally:
        await broker.close()
