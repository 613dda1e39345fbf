"""From the table to the broker: a fast path right after the commit, and a sweeper behind it.

The table is the outbox. A row keeps its `dispatch_at` until the broker confirmed the message, so
whatever dies in between, the sweeper of some gateway publishes it, as it does what was sent for later and
is due. Each queue has a backlog and a task of its own on the fast path, and each priority a sweeper, so that
neither a flood into one nor its refusals hold up another.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from prometheus_client import Counter

from tidings.contracts.codes import Priority
from tidings.contracts.queues import WORK_QUEUES
from tidings.gateway.store import Dispatch, GatewayStore
from tidings.kit.broker.port import Broker, BrokerUnavailable, Message
from tidings.kit.errors import Unavailable
from tidings.kit.ids import now
from tidings.kit.repeating import repeat

BURST = 500
BACKLOG = 5_000
LOOK_SECONDS = 0.25
CLEANING_SECONDS = 60.0
LEASE = timedelta(seconds=30)
TRY_AGAIN = timedelta(seconds=2)

DISPATCHED = Counter("tidings_dispatched_total", "Messages confirmed by the broker", ["path"])

log = structlog.get_logger(__name__)


class Dispatcher:
    """Publishes committed notifications and marks them `queued`."""

    def __init__(self, store: GatewayStore, broker: Broker) -> None:
        self._store = store
        self._broker = broker
        self._fresh: dict[str, asyncio.Queue[Dispatch]] = {
            queue: asyncio.Queue(BACKLOG) for queue in WORK_QUEUES
        }
        self._due = {priority: asyncio.Event() for priority in Priority}

    def hand_over(self, dispatch: Dispatch) -> None:
        """Publish soon. What does not fit into the backlog of its queue is left to the sweeper."""
        fresh = self._fresh[dispatch.queue]
        if not fresh.full():
            fresh.put_nowait(dispatch)

    async def publish_fresh(self, queue: str) -> None:
        """The fast path to a queue, for ever: one burst of publishes for all that was committed meanwhile."""
        fresh = self._fresh[queue]
        while True:
            burst = [await fresh.get()]
            while len(burst) < BURST and not fresh.empty():
                burst.append(fresh.get_nowait())
            try:
                await self._publish(queue, burst, path="fresh")
            except (BrokerUnavailable, Unavailable) as error:
                log.warning("dispatch_failed", queue=queue, count=len(burst), error=str(error))
            except Exception:
                # Whatever it is, such as a deadlock: this burst is swept, and the next one is published.
                log.exception("dispatch_failed", queue=queue, count=len(burst))

    async def look(self) -> None:
        """For ever: four times a second, wake the sweepers of the priorities of which something is due."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                for priority in await self._store.due_priorities():
                    self._due[priority].set()
            except Unavailable as error:
                log.warning("look_failed", error=error.detail)
            except Exception:
                log.exception("look_failed")

    async def sweep(self, priority: Priority) -> None:
        """The slow path of a priority, for ever: publish what is due."""
        while True:
            await self._due[priority].wait()
            self._due[priority].clear()
            try:
                while await self._sweep_once(priority) == BURST:
                    pass
            except Unavailable as error:
                log.warning("sweep_failed", priority=priority, error=error.detail)
            except Exception:
                # What was leased is due again after its lease.
                log.exception("sweep_failed", priority=priority)

    async def drop_expired_keys(self) -> None:
        """Forget idempotency keys whose time is over."""
        while await self._store.drop_expired_keys(limit=BURST) == BURST:
            pass

    async def _sweep_once(self, priority: Priority) -> int:
        """Publish the next few that are due; returns how many the broker has."""
        by_queue: defaultdict[str, list[Dispatch]] = defaultdict(list)
        for one in await self._store.lease_due(priority, limit=BURST, lease=LEASE):
            by_queue[one.queue].append(one)
        return sum(await asyncio.gather(*(self._sweep_into(*queued) for queued in by_queue.items())))

    async def _sweep_into(self, queue: str, due: Sequence[Dispatch]) -> int:
        try:
            await self._publish(queue, due, path="swept")
        except BrokerUnavailable as error:
            log.warning("dispatch_failed", queue=queue, count=len(due), error=str(error))
            await self._store.release([one.notification_id for one in due], after=TRY_AGAIN)
            return 0
        return len(due)

    async def _publish(self, queue: str, burst: Sequence[Dispatch], *, path: str) -> None:
        messages = [Message(str(one.notification_id), one.body, one.headers) for one in burst]
        at = now()  # before workers may have it, so that no step of theirs is earlier
        await self._broker.publish(queue, messages)
        await self._store.mark_queued([one.notification_id for one in burst], at=at)
        DISPATCHED.labels(path).inc(len(burst))


@asynccontextmanager
async def open_dispatcher(store: GatewayStore, broker: Broker) -> AsyncIterator[Dispatcher]:
    """A dispatcher at work for as long as the block runs. What it leaves, the next one sweeps."""
    dispatcher = Dispatcher(store, broker)
    tasks = [
        asyncio.create_task(work)
        for work in (
            *(dispatcher.publish_fresh(queue) for queue in WORK_QUEUES),
            dispatcher.look(),
            *(dispatcher.sweep(priority) for priority in Priority),
            repeat(dispatcher.drop_expired_keys, seconds=CLEANING_SECONDS, failed="cleaning_failed"),
        )
    ]
    try:
        yield dispatcher
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
