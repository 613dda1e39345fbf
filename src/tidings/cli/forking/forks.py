"""Our end of the line to the process that services and jobs are forked from."""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from tidings.cli.errors import CannotContinue
from tidings.cli.forking.messages import Ended, Event, Forked, Job, Request, Result, RunJob, StartService
from tidings.cli.prctl import dies_with_parent

NEVER_FORKED = 0

_decode_event = msgspec.json.Decoder(Event).decode


class Fork:
    """A forked process, in the manner of `asyncio.subprocess.Process`."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.started: asyncio.Future[int] = loop.create_future()
        self.result: asyncio.Future[Result] = loop.create_future()
        self.code: asyncio.Future[int] = loop.create_future()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.started.result()

    async def wait(self) -> int:
        """The exit code once it has ended; negative for the signal that ended it."""
        return await asyncio.shield(self.code)

    def send_signal(self, signal: int) -> None:
        """Signal the process unless it has ended."""
        if not self.code.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal)


class Forks:
    """Forks services and jobs. A zygote that was killed is replaced with the next fork."""

    def __init__(self) -> None:
        self._opening = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._forks: dict[int, Fork] = {}
        self._zygote: asyncio.subprocess.Process | None = None
        self._listener: asyncio.Task[None] | None = None

    async def open(self) -> asyncio.subprocess.Process:
        """Start the zygote. It imports first; requests wait."""
        async with self._opening:
            if self._zygote is None or self._listener is None or self._listener.done():
                self._zygote = await _start_zygote()
                self._listener = asyncio.create_task(self._listen(self._zygote))
            return self._zygote

    async def start(self, service: str, environment: Mapping[str, str], log: Path) -> Fork:
        """Fork a service. Its output is appended to `log`."""
        while True:
            number = next(self._numbers)
            request = StartService(id=number, service=service, environment=dict(environment), log=str(log))
            fork = await self._ask(request)
            if await asyncio.shield(fork.started) != NEVER_FORKED:
                return fork

    async def run(self, job: Job, log: Path) -> str | None:
        """Run a job and return its result. Its output is appended to `log`.

        Raises:
            CannotContinue: it could not be done.
        """
        fork = await self._ask(RunJob(id=next(self._numbers), job=job, log=str(log)))
        ends: list[asyncio.Future[Any]] = [fork.result, fork.code]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not fork.result.done():
            raise CannotContinue(
                f"{type(job).__name__} ended with exit code {fork.code.result()}; see {log}."
            )
        result = fork.result.result()
        if result.error is not None:
            raise CannotContinue(result.error)
        return result.value

    async def close(self) -> None:
        """End the zygote and wait until it is gone. Its forks would be killed with it."""
        if self._zygote and self._zygote.stdin and self._listener:
            self._zygote.stdin.close()
            await self._zygote.wait()
            await self._listener

    async def _ask(self, request: Request) -> Fork:
        zygote = await self.open()
        fork = self._forks[request.id] = Fork()
        if zygote.stdin:
            zygote.stdin.write(msgspec.json.encode(request) + b"\n")
        return fork

    async def _listen(self, zygote: asyncio.subprocess.Process) -> None:
        if zygote.stdout:
            async for line in zygote.stdout:
                self._hear(_decode_event(line))
        # The kernel ends what an ended zygote has forked.
        for number in tuple(self._forks):
            self._hear(Forked(id=number, pid=NEVER_FORKED))
            self._hear(Ended(id=number, code=-signal.SIGKILL))

    def _hear(self, event: Event) -> None:
        fork = self._forks[event.id]
        if isinstance(event, Forked):
            if not fork.started.done():
                fork.started.set_result(event.pid)
        elif isinstance(event, Result):
            fork.result.set_result(event)
        else:
            del self._forks[event.id]
            fork.code.set_result(event.code)


async def _start_zygote() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tidings.cli.forking.zygote",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
        preexec_fn=dies_with_parent(signal.SIGKILL),
    )
