"""A storm: the events of the last emails again, many times and in the wrong order."""

import asyncio
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from tidings.kit.errors import Conflict
from tidings.simulator.webhooks.courier import Courier
from tidings.simulator.webhooks.events import Event
from tidings.simulator.webhooks.targets import WebhookProvider

BATCH = 100
CONCURRENCY = 8


class StormOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many events to send in all, and how often again at least each of them.

    The events are the newest that are known; when those are too few, they are sent more often.
    """

    provider: WebhookProvider
    events: Annotated[int, Meta(ge=1, le=5000)] = 1000
    duplicates: Annotated[int, Meta(ge=0, le=100)] = 1
    shuffle: bool = True


class StormReport(msgspec.Struct, frozen=True, kw_only=True):
    """How far a storm is. `distinct` counts the events that differ; `accepted` and `refused` those sent."""

    provider: WebhookProvider
    events: int
    distinct: int
    accepted: int
    refused: int
    running: bool


class Storms:
    """The last storm; there is one at a time."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier
        self._task: asyncio.Task[None] | None = None
        self.report: StormReport | None = None

    def begin(self, order: StormOrder) -> StormReport:
        """Send in the background.

        Raises:
            Conflict: a storm is under way, there is no receiver, or there is no event to send.
        """
        if self._task is not None and not self._task.done():
            raise Conflict("A storm is under way; see GET /api/webhooks/storm", code="storm_under_way")
        target = self._courier.target(order.provider)
        if target is None or not self._courier.is_ready(target):
            words = f"{order.provider} has no receiver, or one that has not confirmed: PUT /api/webhooks"
            raise Conflict(words, code="no_receiver")
        events = self._chosen(order)
        if not events:
            raise Conflict(
                f"No event of {order.provider} is known: send an email through it first",
                code="no_events",
            )
        self.report = StormReport(
            provider=order.provider,
            events=len(events),
            distinct=len({event.id for event in events}),
            accepted=0,
            refused=0,
            running=True,
        )
        self._task = asyncio.create_task(self._blow(order.provider, events, self.report))
        return self.report

    async def end(self) -> None:
        """Stop the storm that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _chosen(self, order: StormOrder) -> list[Event]:
        wanted = -(-order.events // (1 + order.duplicates))
        page = self._courier.events.page(
            limit=wanted, before=None, only=lambda event: event.email.provider == order.provider
        )
        known = [event for _, event in page.entries]
        events = list(itertools.islice(itertools.cycle(known), order.events))
        if order.shuffle:
            random.shuffle(events)
        return events

    async def _blow(self, provider: WebhookProvider, events: Sequence[Event], begun: StormReport) -> None:
        size = BATCH if provider == "sendgrid" else 1
        batches = iter([events[start : start + size] for start in range(0, len(events), size)])
        self.report = begun
        try:
            await asyncio.gather(*(self._send(provider, batches) for _ in range(CONCURRENCY)))
        finally:
            self.report = msgspec.structs.replace(self.report, running=False)

    async def _send(self, provider: WebhookProvider, batches: Iterator[Sequence[Event]]) -> None:
        for batch in batches:
            accepted = await self._courier.deliver(provider, batch)
            if self.report is None:
                return
            counted = "accepted" if accepted else "refused"
            before: int = getattr(self.report, counted)
            self.report = msgspec.structs.replace(self.report, **{counted: before + len(batch)})
