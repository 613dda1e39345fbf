"""Tickets on their way to the queue where they wait until their receipts may be asked for."""

from collections.abc import Container, Sequence
from datetime import timedelta

import msgspec

from tidings.contracts.messages import TakenPush, TicketReport
from tidings.contracts.queues import TICKETS_QUEUE
from tidings.delivery.outcome import Taken
from tidings.kit.batching import Batcher
from tidings.kit.broker.port import Broker, Message
from tidings.kit.ids import new_id, now
from tidings.kit.telemetry import trace_headers

PUSHES_PER_REPORT = 100


class Tickets:
    """Publishes tickets of the `providers` that give receipts; under load many share one broker message."""

    def __init__(self, broker: Broker, providers: Container[str], seconds: float) -> None:
        self._broker = broker
        self._providers = providers
        self._wait = timedelta(seconds=seconds)
        self._batches: Batcher[TakenPush, None] = Batcher(self._keep_new, max_size=PUSHES_PER_REPORT)

    def ticket(self, taken: Taken) -> str | None:
        """The ticket that a provider gave; None where it gives no receipts."""
        return taken.provider_ref if taken.provider in self._providers else None

    async def keep(self, push: TakenPush) -> None:
        """Return when its tickets are durable.

        Raises:
            BrokerUnavailable: they are not.
        """
        await self._batches.submit(push)

    async def keep_for(self, seconds: float, pushes: Sequence[TakenPush]) -> None:
        """Keep pushes whose receipts are to be asked for after so many seconds.

        Raises:
            BrokerUnavailable: they are not durable.
        """
        await self._publish(timedelta(seconds=seconds), pushes)

    async def _keep_new(self, pushes: list[TakenPush]) -> Sequence[None]:
        await self._publish(self._wait, pushes)
        return [None] * len(pushes)

    async def _publish(self, wait: timedelta, pushes: Sequence[TakenPush]) -> None:
        report = TicketReport(ask_at=now() + wait, pushes=list(pushes))
        message = Message(str(new_id()), msgspec.json.encode(report), trace_headers())
        await self._broker.publish(TICKETS_QUEUE, [message])
