"""What waits for one stream."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from tidings.contracts.events import NotificationStep
from tidings.gateway.reading.step_store import PlacedStep

BUFFER: Final = 1_000
"""How many steps wait for one reader before it is cut off."""

Wants = Callable[[NotificationStep], bool]


class End(StrEnum):
    """Why a stream ends although more may come. The reader may come again and go on where it was."""

    TOO_SLOW = "too_slow"
    SHUTDOWN = "shutdown"
    RENEW = "renew"
    DATABASE_DOWN = "database_unavailable"


class Subscription:
    """The steps that one stream wants, as they come."""

    def __init__(self, wants: Wants) -> None:
        self._wants = wants
        self._waiting: asyncio.Queue[PlacedStep] = asyncio.Queue(BUFFER)
        self._woken = asyncio.Event()
        self.end: End | None = None
        """Set once no more steps come."""

    def offer(self, placed: PlacedStep) -> None:
        """Take a step if it is wanted; a reader that does not keep up gets no more."""
        if self.end is not None or not self._wants(placed.step):
            return
        try:
            self._waiting.put_nowait(placed)
        except asyncio.QueueFull:
            self.finish(End.TOO_SLOW)
        self._woken.set()

    def finish(self, end: End) -> None:
        """No more steps come; those that wait are still taken."""
        self.end = self.end or end
        self._woken.set()

    async def take(self, *, within: float) -> list[PlacedStep]:
        """All that came since the last time; nothing if nothing comes within so many seconds."""
        try:
            async with asyncio.timeout(within):
                await self._woken.wait()
        except TimeoutError:
            return []
        if self.end is None:
            self._woken.clear()
        return [self._waiting.get_nowait() for _ in range(self._waiting.qsize())]
