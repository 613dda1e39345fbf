"""From the table to the broker: a fast path right after the commit, and a sweeper behind it.

The table is the outbox. A row keeps its `dispatch_at` until the broker confirmed the message, so
whatever dies in between, the sweeper of some gateway publishes it.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from prometheus_client import Counter

from tidings.contracts.queues import WORK_QUEUES
from tidings.gateway.store import Dispatch, GatewayStore
from tidings.kit.broker.port import Broker, BrokerUnavailable, Message
from tidings.kit.errors import Unavailable

BURST = 500
BACKLOG = 5_000
SWEEP_SECONDS = 1.0
LEASE = timedelta(seconds=30)
TRY_AGAIN = timedelta(seconds=2)

DISPATCHED = Counter("tidings_dispatched_total", "Messages confirmed by the broker", ["path"])

log = structlog.get_logger(__name__)


class Dispatcher:
    """Publishes committed notifications and marks them `queued`."""

    def __init__(self, store: GatewayStore, broker: Broker) -> None:
        self._store = store
        self._broker = broker
        self._fresh: asyncio.Queue[Dispatch] = asyncio.Queue(BACKLOG)

    def hand_over(self, dispatch: Dispatch) -> None:
        """Publish soon. What does not fit into the backlog is left to the sweeper."""
        if not self._fresh.full():
            self._fresh.put_nowait(dispatch)

    async def publish_fresh(self) -> None:
        """The fast path, for ever: one burst of publishes for all that was committed meanwhile."""
        while True:
            burst = [await self._fresh.get()]
            while len(burst) < BURST and not self._fresh.empty():
                burst.append(self._fresh.get_nowait())
            try:
                await self._publish(burst, path="fresh")
            except (BrokerUnavailable, Unavailable) as error:
                log.warning("dispatch_failed", count=len(burst), error=str(error))

    async def sweep(self) -> None:
        """The slow path, for ever: once a second, publish what is due."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                while await self._sweep_once() == BURST:
                    pass
            except Unavailable as error:
                log.warning("sweep_failed", error=error.detail)

    async def drop_expired_keys(self) -> None:
        """For ever: once a minute, forget idempotency keys whose 24 hours are over."""
        while True:
            await asyncio.sleep(60)
            try:
                while await self._store.drop_expired_keys(limit=BURST) == BURST:
                    pass
            except Unavailable as error:
                log.warning("cleaning_failed", error=error.detail)

    async def _sweep_once(self) -> int:
        due = await self._store.lease_due(limit=BURST, lease=LEASE)
        if not due:
            return 0
        try:
            await self._publish(due, path="swept")
        except BrokerUnavailable as error:
            log.warning("dispatch_failed", count=len(due), error=str(error))
            await self._store.release([one.notification_id for one in due], after=TRY_AGAIN)
            return 0
        return len(due)

    async def _publish(self, burst: Sequence[Dispatch], *, path: str) -> None:
        by_queue: defaultdict[str, list[Message]] = defaultdict(list)
        for one in burst:
            message = Message(str(one.notification_id), one.body, one.headers)
            by_queue[WORK_QUEUES[one.channel]].append(message)
        await asyncio.gather(*(self._broker.publish(queue, messages) for queue, messages in by_queue.items()))
        await self._store.mark_queued([one.notification_id for one in burst])
        DISPATCHED.labels(path).inc(len(burst))


@asynccontextmanager
async def open_dispatcher(store: GatewayStore, broker: Broker) -> AsyncIterator[Dispatcher]:
    """A dispatcher at work for as long as the block runs. What it leaves, the next one sweeps."""
    dispatcher = Dispatcher(store, broker)
    tasks = [
        asyncio.create_task(work)
        for work in (dispatcher.publish_fresh(), dispatcher.sweep(), dispatcher.drop_expired_keys())
    ]
    try:
        yield dispatcher
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
