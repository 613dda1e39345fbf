"""Receipts from the queue: into timelines, the suppression list and the delivery ledger."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter

import msgspec
import structlog
from prometheus_client import Counter, Histogram
from redis.asyncio import Redis
from structlog.contextvars import clear_contextvars

from tidings.client.http import RemoteUnavailable
from tidings.client.users import UsersClient
from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import Receipt, ReceiptKind, ReceiptReport, StatusEvent
from tidings.contracts.queues import RECEIPTS_QUEUE
from tidings.delivery.ledger import Ledger, LedgerUnavailable
from tidings.delivery.outcome import Cancelled, Taken
from tidings.delivery.reporting import Reporter
from tidings.email.receipts.addresses import AddressNotes
from tidings.email.receipts.concurrently import concurrently
from tidings.email.receipts.memory import ReceiptMemory
from tidings.email.sandbox import SANDBOX
from tidings.kit.broker.port import (
    Acknowledge,
    Broker,
    BrokerUnavailable,
    DeadLetter,
    Delay,
    Delivery,
    Settlement,
)
from tidings.kit.telemetry import continue_trace

CONCURRENCY = 4
"""Reports in work at once."""
LOOKUPS_AT_ONCE = 20
EVENTS_AT_ONCE = 200
NEIGHBOUR_DOWN_SECONDS = 5.0
LEDGER_KEY = "email"
"""An email has one target, and this is its key (`EmailChannel.targets`)."""

RECEIPTS = Counter("tidings_receipts_total", "Receipts applied, each event once", ["provider", "kind"])
SENT_TO_DELIVERED = Histogram(
    "tidings_sent_to_delivered_seconds",
    "From a provider's yes until the recipient's mail server took it",
    ["provider"],
    buckets=(0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400),
)

_STEPS = {
    ReceiptKind.DELIVERED: (Status.DELIVERED, None),
    ReceiptKind.DEFERRED: (Status.SENT, Reason.DEFERRED),
    ReceiptKind.SOFT_BOUNCE: (Status.BOUNCED, Reason.SOFT_BOUNCE),
    ReceiptKind.HARD_BOUNCE: (Status.BOUNCED, Reason.HARD_BOUNCE),
    ReceiptKind.COMPLAINT: (Status.DELIVERED, Reason.COMPLAINED),
}

log = structlog.get_logger(__name__)
_decode = msgspec.json.Decoder(ReceiptReport).decode


class ReceiptsConsumer:
    """The handler of the receipts queue. Whatever it does may be done twice, and in any order of events."""

    def __init__(
        self, memory: ReceiptMemory, addresses: AddressNotes, ledger: Ledger, reporter: Reporter
    ) -> None:
        self._memory = memory
        self._addresses = addresses
        self._ledger = ledger
        self._reporter = reporter

    async def __call__(self, delivery: Delivery) -> Settlement:
        """Apply one report; it is acknowledged once all of it took effect."""
        clear_contextvars()
        continue_trace(delivery.message.headers)
        try:
            report = _decode(delivery.message.body)
        except msgspec.DecodeError as error:
            log.warning("malformed_receipts", error=str(error))
            return DeadLetter(Reason.MALFORMED_MESSAGE, str(error))
        try:
            await self._apply(report.receipts)
        except (RemoteUnavailable, BrokerUnavailable) as error:
            log.warning("receipts_wait", error=str(error))
            return Delay(NEIGHBOUR_DOWN_SECONDS, counted=False)
        return Acknowledge()

    async def _apply(self, receipts: Sequence[Receipt]) -> None:
        new = sorted(await self._memory.unseen(receipts), key=attrgetter("at"))
        real = [receipt for receipt in new if receipt.provider != SANDBOX]
        # Of each email the latest word, the person's before a copy's: any proves that a provider took it.
        words = {receipt.notification_id: receipt for receipt in sorted(real, key=_is_the_persons)}
        await concurrently(LOOKUPS_AT_ONCE, self._note_taken, words.values())
        await self._addresses.note(real)
        await concurrently(EVENTS_AT_ONCE, self._reporter.report, map(_event, filter(_is_the_persons, new)))
        # Last of all: what is remembered is not done again.
        await self._memory.remember(new)
        for receipt in new:
            RECEIPTS.labels(receipt.provider, receipt.kind).inc()

    async def _note_taken(self, receipt: Receipt) -> None:
        """Keep a send whose outcome was unknown from being repeated, and measure a known one."""
        try:
            history = await self._ledger.history(receipt.notification_id)
        except LedgerUnavailable:
            return
        # One that got past its cancel was sent, and is known as little as any that nobody recorded.
        known = None if isinstance(history, Cancelled) else history.get(LEDGER_KEY)
        if not isinstance(known, Taken):
            taken = Taken(provider=receipt.provider, provider_ref=receipt.provider_ref, at=receipt.at)
            await self._ledger.record(receipt.notification_id, LEDGER_KEY, taken)
        elif receipt.kind is ReceiptKind.DELIVERED and not receipt.copy:
            seconds = (receipt.at - known.at).total_seconds()
            SENT_TO_DELIVERED.labels(known.provider).observe(max(0.0, seconds))


@asynccontextmanager
async def consuming_receipts(
    broker: Broker, *, redis: Redis, users: UsersClient, ledger: Ledger, reporter: Reporter, limit: float
) -> AsyncIterator[None]:
    """Apply receipts for as long as the block runs; `limit` is how many seconds the last ones may take."""
    memory = ReceiptMemory(redis)
    handler = ReceiptsConsumer(memory, AddressNotes(users, memory), ledger, reporter)
    consumption = await broker.consume(RECEIPTS_QUEUE, handler, concurrency=CONCURRENCY)
    try:
        yield
    finally:
        await consumption.stop(limit=limit)


def _is_the_persons(receipt: Receipt) -> bool:
    return not receipt.copy


def _event(receipt: Receipt) -> StatusEvent:
    status, reason = _STEPS[receipt.kind]
    return StatusEvent(
        notification_id=receipt.notification_id,
        status=status,
        at=receipt.at,
        reason=reason,
        detail=receipt.detail,
        provider=receipt.provider,
        provider_ref=receipt.provider_ref,
    )
