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

_Key = tuple[str, int, int]


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
        self._runs: dict[_Key, _Run] = {}
        self._tasks: dict[asyncio.Task[None], _Run] = {}
        self._unsettled: OrderedDict[_Key, Settlement] = OrderedDict()
        self._stopped = False

    @property
    def in_flight(self) -> int:
        """Handlers running now."""
        return sum(run.started for run in self._tasks.values())

    def start(self, delivery: Delivery, settle: Settle) -> None:
        """Handle the message as soon as a place is free, then settle it. Ignored once stopped."""
        if self._stopped:
            return
        # Different messages may carry one id, and must not settle one another.
        key = (delivery.message.id, delivery.attempt, hash(delivery.message.body))
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
        """Hand back what has not begun, and what is not done within `limit` seconds."""
        self._stopped = True
        for task, run in self._tasks.items():
            if not run.started:
                task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=limit)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, key: _Key, run: _Run, delivery: Delivery, known: Settlement | None) -> None:
        try:
            async with self._slots:
                run.started = True
                settlement = known or await self._handle(delivery)
                self._forget(key, run)
                if not await _settle(run, settlement):
                    self._remember(key, settlement)
        except asyncio.CancelledError:
            await _settle(run, HandBack())
            raise
        finally:
            self._forget(key, run)

    def _forget(self, key: _Key, run: _Run) -> None:
        """From now on a message that is handed out again is no copy for this run to settle."""
        if self._runs.get(key) is run:
            del self._runs[key]

    def _remember(self, key: _Key, settlement: Settlement) -> None:
        self._unsettled[key] = settlement
        if len(self._unsettled) > _REMEMBERED:
            self._unsettled.popitem(last=False)

    async def _handle(self, delivery: Delivery) -> Settlement:
        try:
            return _checked(await self._handler(delivery))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return self._after_bug(delivery, error)  # a future inside the handler was cancelled, not we
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is its bug, not the consumer's end
            return self._after_bug(delivery, error)

    def _after_bug(self, delivery: Delivery, error: BaseException) -> Settlement:
        _log.error(
            "handler_raised",
            queue=self._queue,
            message_id=delivery.message.id,
            attempt=delivery.attempt,
            exc_info=error,
        )
        if delivery.attempt >= RAISED_LIMIT:
            return DeadLetter("handler_failed", repr(error))
        return Delay(RAISED_DELAY)


async def _settle(run: _Run, settlement: Settlement) -> bool:
    outcomes = [await settle(settlement) for settle in run.settles]
    return any(outcomes)


def _checked(settlement: Settlement) -> Settlement:
    if isinstance(settlement, Acknowledge | Delay | DeadLetter | HandBack):
        return settlement
    raise TypeError(f"a handler must return a settlement, not {settlement!r}")
