"""Status events from the workers, written into timelines in batches."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import structlog
from prometheus_client import Counter

from tidings.contracts.codes import Reason
from tidings.contracts.messages import StatusEvent, StatusReport
from tidings.contracts.queues import STATUS_QUEUE
from tidings.gateway.tracking_store import TrackingStore
from tidings.kit.batching import Batcher
from tidings.kit.broker.port import Acknowledge, Broker, DeadLetter, Delay, Delivery, Settlement
from tidings.kit.errors import Unavailable

DATABASE_DOWN_SECONDS = 1.0
CONCURRENCY = 100

TRACKED = Counter("tidings_tracked_events_total", "Status events written", ["status"])

log = structlog.get_logger(__name__)
_decode = msgspec.json.Decoder(StatusReport).decode


class Tracker:
    """The handler of the status queue: many reports share one transaction."""

    def __init__(self, store: TrackingStore) -> None:
        self._store = store
        self._batches: Batcher[list[StatusEvent], None] = Batcher(self._write, max_size=50)

    async def __call__(self, delivery: Delivery) -> Settlement:
        """Write one report; it is acknowledged once it is committed."""
        try:
            report = _decode(delivery.message.body)
        except msgspec.DecodeError as error:
            log.warning("malformed_report", error=str(error))
            return DeadLetter(Reason.MALFORMED_MESSAGE, str(error))
        try:
            await self._batches.submit(report.events)
        except Unavailable:
            return Delay(DATABASE_DOWN_SECONDS, counted=False)
        return Acknowledge()

    async def _write(self, reports: list[list[StatusEvent]]) -> Sequence[None]:
        events = [event for report in reports for event in report]
        await self._store.track(events)
        for event in events:
            TRACKED.labels(event.status).inc()
        return [None] * len(reports)


@asynccontextmanager
async def tracking(store: TrackingStore, broker: Broker, *, limit: float) -> AsyncIterator[None]:
    """Track for as long as the block runs; `limit` is how many seconds the last reports may take."""
    consumption = await broker.consume(STATUS_QUEUE, Tracker(store), concurrency=CONCURRENCY)
    try:
        yield
    finally:
        await consumption.stop(limit=limit)
