"""Running handlers: at most so many at once, in tasks that outlive the connection a message came by."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from tidings.kit.broker.port import (
    Acknowledge,
    DeadLetter,
    Delay,
    Delivery,
    HandBack,
    Handler,
    Settlement,
)

RAISED_DELAY = 5.0
"""Seconds before a message is tried again whose handler raised."""

RAISED_LIMIT = 20
"""The attempt after which a message whose handler raises is dead-lettered."""

_REMEMBERED = 1000  # settlements kept for a broker that was away when they were due

Settle = Callable[[Settlement], Awaitable[bool]]
"""Tells the broker; False when the connection that the message came by is gone."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Run:
    """One handler at work. A message that the broker hands out again meanwhile joins it."""

    settles: list[Settle] = field(default_factory=list)
    started: bool = False


class Handling:
    """Runs one queue's handlers and settles what they return.

    A handler goes on when the broker is lost. The broker then hands its message out again: that
    copy is settled by the same run, so a broker's restart does not handle a message twice here.
    """

    def __init__(self, queue: str, handler: Handler, concurrency: int) -> None:
        self._queue = queue
        self._handler = handler
        self._slots = asyncio.Semaphore(concurrency)
        self._runs: dict[tuple[str, int], _Run] = {}
        self._tasks: dict[asyncio.Task[None], _Run] = {}
        self._unsettled: OrderedDict[tuple[str, int], Settlement] = OrderedDict()

    @property
    def in_flight(self) -> int:
        """Handlers running now."""
        return sum(run.started for run in self._tasks.values())

    @property
    def taken(self) -> int:
        """Messages that run or wait for a free place."""
        return len(self._tasks)

    def start(self, delivery: Delivery, settle: Settle) -> None:
        """Handle the message as soon as a place is free, then settle it."""
        key = (delivery.message.id, delivery.attempt)
        running = self._runs.get(key)
        if delivery.redelivered and running is not None:
            running.settles.append(settle)
            return
        run = _Run([settle])
        known = self._unsettled.pop(key, None) if delivery.redelivered else None
        if running is None:
            self._runs[key] = run
        task = asyncio.create_task(self._run(key, run, delivery, known))
        self._tasks[task] = run
        task.add_done_callback(self._tasks.pop)

    async def stop(self, *, limit: float) -> None:
        """Drop what has not begun, wait for the rest, and cancel what is not done after `limit` seconds.

        What is dropped or cancelled is not settled: the adapter hands it back.
        """
        for task, run in self._tasks.items():
            if not run.started:
                task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=limit)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(
        self, key: tuple[str, int], run: _Run, delivery: Delivery, known: Settlement | None
    ) -> None:
        settled = False
        settlement = known
        try:
            async with self._slots:
                run.started = True
                settlement = settlement or await self._handle(delivery)
                for settle in run.settles:  # grows while it is walked
                    settled |= await settle(settlement)
        finally:
            if self._runs.get(key) is run:
                del self._runs[key]
            if settlement is not None and not settled:
                self._remember(key, settlement)

    def _remember(self, key: tuple[str, int], settlement: Settlement) -> None:
        self._unsettled[key] = settlement
        if len(self._unsettled) > _REMEMBERED:
            self._unsettled.popitem(last=False)

    async def _handle(self, delivery: Delivery) -> Settlement:
        try:
            settlement = await self._handler(delivery)
            if not isinstance(settlement, Acknowledge | Delay | DeadLetter | HandBack):
                raise TypeError(f"a handler must return a settlement, not {settlement!r}")
        except Exception as error:
            _log.exception(
                "handler_raised", queue=self._queue, message_id=delivery.message.id, attempt=delivery.attempt
            )
            if delivery.attempt >= RAISED_LIMIT:
                return DeadLetter("handler_failed", repr(error))
            return Delay(RAISED_DELAY)
        return settlement
