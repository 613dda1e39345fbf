"""Keeping processes running: a killed one is started again, and all are stopped in order."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Protocol

QUICK_SECONDS = 5.0
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0


class Child(Protocol):
    """A process, as `asyncio.subprocess.Process` and `Fork` are."""

    @property
    def pid(self) -> int:
        """Its process id."""

    async def wait(self) -> int:
        """Its exit code; negative for the signal that ended it."""

    def send_signal(self, signal: int) -> None:
        """Signal it, unless it has ended."""


class Observer(Protocol):
    """Whoever wants to know what happens to supervised processes."""

    def started(self, process: "Supervised") -> None:
        """The process was started, for the first time or again; it has a new pid."""

    def ended(self, process: "Supervised", code: int) -> None:
        """The process ended by itself. Raise to give up on it; otherwise it is started again."""


class Supervised:
    """One process that is kept running.

    `quick_ends` counts how often it ended within 5 s of its start, in a row.
    """

    def __init__(
        self, name: str, spawn: Callable[[], Coroutine[Any, Any, Child]], observer: Observer
    ) -> None:
        self.name = name
        self.quick_ends = 0
        self.pid: int | None = None
        self._spawn = spawn
        self._observer = observer
        self._child: asyncio.Task[Child] | None = None
        self._stopping = False

    async def keep_running(self) -> None:
        """Start it, and start it again whenever it ends, until it is stopped.

        At once the first time and when it was killed; after a growing pause, at most 5 s, when it
        ends by itself again and again.
        """
        while not self._asked_to_stop():
            started = monotonic()
            # Shielded: whatever cancels us, `stop` has to know of a process that is being started.
            self._child = asyncio.create_task(self._spawn())
            child = await asyncio.shield(self._child)
            self.pid = child.pid
            self._observer.started(self)
            code = await child.wait()
            if self._asked_to_stop():
                return
            self.quick_ends = self.quick_ends + 1 if monotonic() - started < QUICK_SECONDS else 0
            self._observer.ended(self, code)
            if code != -signal.SIGKILL and self.quick_ends > 1:
                await asyncio.sleep(min(FIRST_PAUSE * 2 ** (self.quick_ends - 2), LONGEST_PAUSE))

    def _asked_to_stop(self) -> bool:
        return self._stopping

    async def stop(self, number: signal.Signals, *, limit: float, hurry: asyncio.Event) -> None:
        """Ask the process to end with signal `number`; after `limit` seconds, or in a hurry, kill it."""
        self._stopping = True
        with suppress(Exception):  # a process that could not be started needs no stopping
            child = await self._child if self._child else None
            if child:
                child.send_signal(number)
                await _end(child, limit, hurry)


async def stop_all(
    group: Sequence[Supervised], number: signal.Signals, *, limit: float, hurry: asyncio.Event
) -> None:
    """Stop several processes at once."""
    await asyncio.gather(*(process.stop(number, limit=limit, hurry=hurry) for process in group))


async def _end(child: Child, limit: float, hurry: asyncio.Event) -> None:
    ended, hurried = asyncio.ensure_future(child.wait()), asyncio.ensure_future(hurry.wait())
    await asyncio.wait((ended, hurried), timeout=limit, return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    if not ended.done():
        child.send_signal(signal.SIGKILL)
    await ended
