"""From the table to the broker: what is due, as much of it as each endpoint may have at once."""

import asyncio
from datetime import timedelta
from typing import Final

import msgspec
import structlog

from tidings.contracts.messages import CallbackOrder
from tidings.contracts.queues import CALLBACKS_QUEUE
from tidings.gateway.callbacks.delivery_store import DeliveryStore, Order
from tidings.kit.broker.port import Broker, BrokerUnavailable, Message
from tidings.kit.errors import Unavailable

BURST: Final = 500
TICK_SECONDS: Final = 1.0
CLEANING_SECONDS: Final = 60.0
TRY_AGAIN: Final = timedelta(seconds=2)

log = structlog.get_logger(__name__)


class CallbackDispatcher:
    """Publishes what is due. Waits are rows, so they survive everything that the database does."""

    def __init__(self, store: DeliveryStore, broker: Broker) -> None:
        self._store = store
        self._broker = broker
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something may be due: look now and not at the next tick."""
        self._woken.set()

    async def run(self) -> None:
        """Publish what is due, for ever: when woken, and once a second."""
        while True:
            await self._next_turn()
            try:
                while await self._publish_due():
                    pass
            except Unavailable as error:
                log.warning("callbacks_not_dispatched", error=error.detail)
                await asyncio.sleep(TICK_SECONDS)
            except Exception:
                # What was leased is due again after its lease.
                log.exception("callbacks_not_dispatched")
                await asyncio.sleep(TICK_SECONDS)

    async def drop_old(self) -> None:
        """Delete deliveries that are older than they are kept."""
        while await self._store.drop_old(limit=BURST) == BURST:
            pass

    async def _next_turn(self) -> None:
        try:
            async with asyncio.timeout(TICK_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return
        finally:
            self._woken.clear()

    async def _publish_due(self) -> bool:
        """One burst; says whether there may be more."""
        orders = await self._store.lease(limit=BURST)
        if not orders:
            return False
        try:
            await self._broker.publish(CALLBACKS_QUEUE, [_message(order) for order in orders])
        except BrokerUnavailable as error:
            log.warning("callbacks_not_dispatched", count=len(orders), error=str(error))
            await self._store.release(orders, after=TRY_AGAIN)
            return False
        return len(orders) == BURST


def _message(order: Order) -> Message:
    body = CallbackOrder(delivery_id=order.delivery_id, attempt=order.attempt)
    return Message(f"{order.delivery_id}:{order.attempt}", msgspec.json.encode(body))
