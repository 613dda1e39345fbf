"""Tickets from the queue: their receipts, asked for when it is time, go into timelines."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
import structlog
from prometheus_client import Counter
from structlog.contextvars import clear_contextvars

from tidings.client.http import RemoteUnavailable
from tidings.client.users import UsersClient
from tidings.contracts.codes import Reason
from tidings.contracts.messages import PushTicket, TakenPush, TicketReport
from tidings.contracts.queues import TICKETS_QUEUE
from tidings.delivery.outcome import Answer, Refused
from tidings.delivery.reporting import Reporter
from tidings.kit.broker.port import (
    Acknowledge,
    Broker,
    BrokerUnavailable,
    DeadLetter,
    Delay,
    Delivery,
    Settlement,
)
from tidings.kit.ids import now
from tidings.kit.telemetry import continue_trace
from tidings.push.receipts.asking import Asking, GivesReceipts, NoReceipts
from tidings.push.receipts.devices import DeviceNotes
from tidings.push.receipts.publishing import Tickets
from tidings.push.receipts.telling import events_of, outcome_label, still_open

CONCURRENCY = 10
"""Reports in work at once."""
KEPT = timedelta(hours=24)
"""How long Expo keeps receipts."""
SHORTEST_WAIT = 1.0
PROVIDER_DOWN_SECONDS = 60.0
NEIGHBOUR_DOWN_SECONDS = 5.0

RECEIPTS = Counter(
    "tidings_push_receipts_total",
    "What receipts said of pushes: taken, or who owns the error; missing where there was none in time",
    ["provider", "outcome"],
)

log = structlog.get_logger(__name__)
_decode = msgspec.json.Decoder(TicketReport).decode


class TicketsConsumer:
    """The handler of the tickets queue. Whatever it does may be done twice."""

    def __init__(
        self, asking: Mapping[str, Asking], tickets: Tickets, devices: DeviceNotes, reporter: Reporter
    ) -> None:
        self._asking = asking
        self._tickets = tickets
        self._devices = devices
        self._reporter = reporter

    async def __call__(self, delivery: Delivery) -> Settlement:
        """Ask for the receipts of one report, unless it is too early; acknowledged once all took effect."""
        clear_contextvars()
        continue_trace(delivery.message.headers)
        try:
            report = _decode(delivery.message.body)
        except msgspec.DecodeError as error:
            log.warning("malformed_tickets", error=str(error))
            return DeadLetter(Reason.MALFORMED_MESSAGE, str(error))
        early = (report.ask_at - now()).total_seconds()
        if early > 0:
            return Delay(early, counted=False)
        try:
            await self._apply(report.pushes)
        except NoReceipts as error:
            log.warning("receipts_not_answered", error=str(error))
            return self._later(report, error.refused.retry_after or PROVIDER_DOWN_SECONDS)
        except (RemoteUnavailable, BrokerUnavailable) as error:
            log.warning("receipts_wait", error=str(error))
            return Delay(NEIGHBOUR_DOWN_SECONDS, counted=False)
        return Acknowledge()

    async def _apply(self, pushes: Sequence[TakenPush]) -> None:
        receipts = await self._receipts([ticket for push in pushes for ticket in push.tickets])
        known = [
            (push, ticket, receipts[ticket.id])
            for push in pushes
            for ticket in push.tickets
            if ticket.id in receipts
        ]
        for push, ticket, receipt in known:
            if isinstance(receipt, Refused):
                await self._devices.note(push.user_id, ticket, receipt)
        await self._reporter.report(*(event for push in pushes for event in events_of(push, receipts)))
        left = [one for push in pushes if (one := still_open(push, receipts))]
        age = _age(left)
        if left and timedelta(seconds=2 * age) < KEPT:
            # At twice its age each time: soon for what is merely late, and seldom for what never comes.
            await self._tickets.keep_for(max(age, SHORTEST_WAIT), left)
        else:
            _give_up(left)
        for _, ticket, receipt in known:
            RECEIPTS.labels(ticket.provider, outcome_label(receipt)).inc()

    async def _receipts(self, tickets: Sequence[PushTicket]) -> dict[str, Answer]:
        """Every receipt that there is, by ticket. A provider that is no longer set up gives none."""
        by_provider = {
            name: [ticket.id for ticket in tickets if ticket.provider == name] for name in self._asking
        }
        asked = [self._asking[name].receipts(ids) for name, ids in by_provider.items()]
        return {ticket: one for found in await asyncio.gather(*asked) for ticket, one in found.items()}

    def _later(self, report: TicketReport, seconds: float) -> Settlement:
        if timedelta(seconds=_age(report.pushes) + seconds) < KEPT:
            return Delay(seconds, counted=False)
        _give_up(report.pushes)
        return Acknowledge()


@asynccontextmanager
async def consuming_tickets(
    broker: Broker,
    providers: Sequence[GivesReceipts],
    *,
    tickets: Tickets,
    users: UsersClient,
    reporter: Reporter,
    limit: float,
) -> AsyncIterator[None]:
    """Ask for receipts for as long as the block runs; `limit` is how many seconds the last ones may take."""
    asking = {provider.name: Asking(provider) for provider in providers}
    handler = TicketsConsumer(asking, tickets, DeviceNotes(users), reporter)
    consumption = await broker.consume(TICKETS_QUEUE, handler, concurrency=CONCURRENCY)
    try:
        yield
    finally:
        await consumption.stop(limit=limit)


def _age(pushes: Sequence[TakenPush]) -> float:
    """How old the newest ticket is, in seconds."""
    newest = max((ticket.at for push in pushes for ticket in push.tickets), default=now())
    return (now() - newest).total_seconds()


def _give_up(pushes: Sequence[TakenPush]) -> None:
    for push in pushes:
        for ticket in push.tickets:
            RECEIPTS.labels(ticket.provider, "missing").inc()
            log.info("receipt_missing", notification_id=str(push.notification_id), ticket=ticket.id)
