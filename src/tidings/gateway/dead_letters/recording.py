"""Dead letters, taken off the failed queue and kept whole.

A worker reports what it gives up on. What the broker gives up on, because its workers kept dying,
nobody has reported: it is settled here, so that every notification ends in a recorded state.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256

import msgspec
import structlog
from prometheus_client import Counter

from tidings.contracts.codes import Reason
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.queues import FAILED_QUEUE
from tidings.gateway.dead_letters.grouping import cause_of
from tidings.gateway.dead_letters.store import DeadLetterStore, Letter
from tidings.kit.batching import Batcher
from tidings.kit.broker.deadletters import DETAIL, QUEUE, REASON
from tidings.kit.broker.port import Acknowledge, Broker, Delay, Delivery, Settlement
from tidings.kit.errors import Unavailable
from tidings.kit.ids import new_id, now

DATABASE_DOWN_SECONDS = 1.0
CONCURRENCY = 20
BY_THE_BROKER = frozenset({Reason.DELIVERY_LIMIT, Reason.HANDLER_FAILED})

DEAD_LETTERS = Counter("tidings_dead_letters_total", "Dead letters kept", ["queue", "reason"])

log = structlog.get_logger(__name__)
_decode = msgspec.json.Decoder(DeliveryMessage).decode


class DeadLetterRecorder:
    """The handler of the failed queue."""

    def __init__(self, store: DeadLetterStore) -> None:
        self._store = store
        self._batches: Batcher[Letter, None] = Batcher(self._write, max_size=100)

    async def __call__(self, delivery: Delivery) -> Settlement:
        """Keep one letter; it is acknowledged once it is committed."""
        letter = _letter(delivery)
        try:
            await self._batches.submit(letter)
        except Unavailable:
            return Delay(DATABASE_DOWN_SECONDS, counted=False)
        log.warning("dead_letter", queue=letter.queue, reason=letter.reason, detail=letter.detail)
        return Acknowledge()

    async def _write(self, letters: list[Letter]) -> Sequence[None]:
        await self._store.record(letters)
        for letter in letters:
            DEAD_LETTERS.labels(letter.queue, letter.reason).inc()
        return [None] * len(letters)


@asynccontextmanager
async def recording_dead_letters(
    store: DeadLetterStore, broker: Broker, *, limit: float
) -> AsyncIterator[None]:
    """Record for as long as the block runs; `limit` is how many seconds the last letters may take."""
    consumption = await broker.consume(FAILED_QUEUE, DeadLetterRecorder(store), concurrency=CONCURRENCY)
    try:
        yield
    finally:
        await consumption.stop(limit=limit)


def _letter(delivery: Delivery) -> Letter:
    headers = {name: value.replace("\x00", "") for name, value in delivery.message.headers.items()}
    reason, queue = headers.get(REASON, Reason.DELIVERY_LIMIT), headers.get(QUEUE, "")
    detail = headers.get(DETAIL, "")
    identity = (delivery.message.id, queue, reason, detail)
    return Letter(
        id=new_id(),
        fingerprint=sha256("\x00".join(identity).encode() + delivery.message.body).digest(),
        message=_message_in(delivery.message.body),
        queue=queue,
        reason=reason,
        detail=detail,
        cause=cause_of(detail),
        body=delivery.message.body,
        headers=headers,
        recorded_at=now(),
        unreported=reason in BY_THE_BROKER,
    )


def _message_in(body: bytes) -> DeliveryMessage | None:
    try:
        message = _decode(body)
    except msgspec.DecodeError:
        return None
    # Whatever a stranger has put into the queue has to fit the table, or it would come back for ever.
    named = {name: getattr(message, name).replace("\x00", "") for name in ("user_id", "template_id")}
    return msgspec.structs.replace(message, **named, expires_at=_storable(message.expires_at))


def _storable(moment: datetime | None) -> datetime | None:
    try:
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
    except OverflowError:  # at the end of the year 9999
        return None
