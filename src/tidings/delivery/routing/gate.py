"""Where messages wait while no provider of the channel may be tried: before any work, attempt or claim.

A handler that waits keeps its place among the messages in work at once, so the queue behind it stands
still, in the broker, in its order.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto
from math import inf
from time import monotonic
from typing import Any

from prometheus_client import Gauge

from tidings.contracts.codes import Channel
from tidings.delivery.routing.routes import Routes

WAITING = Gauge("tidings_gate_waiting", "Messages held back while no provider may be tried", ["channel"])


class Entry(Enum):
    """How waiting at the gate ended."""

    OPEN = auto()
    """Go on."""
    IN_TURN = auto()
    """Go on: one of the few that are let in while a provider is probed."""
    HELD = auto()
    """The time was up, and still no provider may be tried."""
    STOPPING = auto()
    """The worker stops; nothing was done with the message."""


class Gate:
    """Lets handlers in: all while a provider works, a few while one is probed, none while all rest."""

    def __init__(self, channel: Channel, routes: Routes[Any, Any]) -> None:
        self._routes = routes
        self._waiting = WAITING.labels(channel)
        self._in_turn = 0
        self._stopping = False

    @asynccontextmanager
    async def entered(self, limit: float) -> AsyncIterator[Entry]:
        """Wait for at most `limit` seconds; a place taken in turn is given back at the end of the block."""
        entry = self._try()
        if entry is None:
            with self._waiting.track_inprogress():
                entry = await self._wait(limit)
        try:
            yield entry
        finally:
            if entry is Entry.IN_TURN:
                self._in_turn -= 1
                self._routes.wake()

    async def stop(self) -> None:
        """Send away those who wait, and those who would have to."""
        self._stopping = True
        self._routes.wake()

    async def _wait(self, limit: float) -> Entry:
        until = monotonic() + limit
        while (remaining := until - monotonic()) > 0:
            # Read before the look: the end of a rest between the two would be waited for in vain.
            next_end = self._routes.next_end()
            if (entry := self._try()) is not None:
                return entry
            await self._routes.changed(min(remaining, next_end))
        return self._try() or Entry.HELD

    def _try(self) -> Entry | None:
        places = self._routes.places()
        if places == inf:
            return Entry.OPEN
        if self._stopping:
            return Entry.STOPPING
        if self._in_turn >= places:
            return None
        self._in_turn += 1
        return Entry.IN_TURN
