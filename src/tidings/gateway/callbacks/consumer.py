"""The handler of the callbacks queue: one attempt at one delivery."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec
import structlog
from prometheus_client import Counter

from tidings.contracts.codes import Reason
from tidings.contracts.messages import CallbackOrder
from tidings.gateway.callbacks.delivery_store import DeliveryStore, Order, Parcel, Verdict
from tidings.gateway.callbacks.policy import CallbackPolicy
from tidings.gateway.callbacks.posting import Courier, Posted
from tidings.kit.batching import Batcher
from tidings.kit.broker.port import Acknowledge, DeadLetter, Delay, Delivery, Settlement
from tidings.kit.errors import Unavailable

CONCURRENCY = 200
DATABASE_DOWN_SECONDS = 1.0
MAX_BATCH = 100

CALLBACKS = Counter("tidings_callbacks_total", "Attempts at callbacks", ["outcome"])

log = structlog.get_logger(__name__)
_decode = msgspec.json.Decoder(CallbackOrder).decode


class CallbackConsumer:
    """Posts events. Between reading and writing no database connection is held."""

    def __init__(
        self, store: DeliveryStore, courier: Courier, policy: CallbackPolicy, wake: Callable[[], None]
    ) -> None:
        self._courier = courier
        self._policy = policy
        self._wake = wake
        self._parcels: Batcher[Order, Parcel | None] = Batcher(store.parcels, max_size=MAX_BATCH)
        self._store = store
        self._verdicts: Batcher[Verdict, None] = Batcher(self._settle, max_size=MAX_BATCH)

    async def __call__(self, delivery: Delivery) -> Settlement:
        """Post once; it is acknowledged when the outcome is committed, and with it the next attempt."""
        try:
            order = _decode(delivery.message.body)
        except msgspec.DecodeError as error:
            return DeadLetter(Reason.MALFORMED_MESSAGE, str(error))
        try:
            parcel = await self._parcels.submit(Order(order.delivery_id, order.attempt))
            if parcel is not None:
                posted = await self._courier.post(parcel.url, parcel.event_id, parcel.body, parcel.keys)
                await self._verdicts.submit(self._verdict(parcel, posted))
        except Unavailable:
            return Delay(DATABASE_DOWN_SECONDS, counted=False)
        self._wake()
        return Acknowledge()

    def _verdict(self, parcel: Parcel, posted: Posted) -> Verdict:
        CALLBACKS.labels("taken" if posted.taken else "failed").inc()
        if posted.taken:
            return Verdict(parcel.order, parcel.endpoint_id, posted.attempt, taken=True)
        log.info("callback_failed", endpoint=str(parcel.endpoint_id), error=posted.attempt.error)
        delay = self._policy.delay_after(parcel.order.attempt, posted.retry_after)
        return Verdict(
            parcel.order,
            parcel.endpoint_id,
            posted.attempt,
            taken=False,
            next_at=None if delay is None or posted.gone else posted.attempt.at + timedelta(seconds=delay),
            gone=posted.gone,
        )

    async def _settle(self, verdicts: list[Verdict]) -> Sequence[None]:
        await self._store.settle(verdicts)
        return [None] * len(verdicts)
