"""`tidings up`: the whole pipeline on this machine, until Ctrl-C."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from rich.console import Console

from tidings.cli.environment import service_environment
from tidings.cli.errors import CannotContinue
from tidings.cli.home import Home
from tidings.cli.ports import Ports, plan_ports, refuse_taken
from tidings.cli.progress import Progress, show_ready
from tidings.cli.ready import ReadyFiles, describe_ready
from tidings.cli.stack import Stack
from tidings.cli.startup import Startup, plan_engines

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What the command line says. An engine that is not named is embedded."""

    home: Path
    port_base: int | None
    broker: str | None
    database: str | None
    cache: str | None
    ready_file: Path | None


class Interrupted(Exception):
    """The operator wants to stop."""


def up(options: UpOptions) -> None:
    """Start everything, show where it is, and keep it running until SIGINT, SIGTERM or SIGHUP.

    Raises:
        CannotContinue: something cannot run; all that had been started is stopped again.
    """
    ready_file = options.ready_file
    if ready_file and not ready_file.absolute().parent.is_dir():
        raise CannotContinue(f"There is no folder {ready_file.absolute().parent} for --ready-file.")
    home = Home(options.home)
    home.make()
    with home.locked():
        ports = plan_ports(options.port_base, os.environ)
        refuse_taken(ports)
        try:
            asyncio.run(_run(options, home, ports))
        except BaseExceptionGroup as group:  # several things that start at once may fail at once
            raise _first(group) from None


async def _run(options: UpOptions, home: Home, ports: Ports) -> None:
    console = Console()
    state = home.load_state()
    plan = plan_engines(home, state, database=options.database, cache=options.cache, broker=options.broker)
    environment = service_environment(home, state, ports, plan.engines, os.environ)
    home.save_state(state)
    files = ReadyFiles([home.ready_file, *([options.ready_file] if options.ready_file else [])])
    files.remove()
    stack = Stack(
        home, ports, on_change=lambda: files.update(stack.pids), say=partial(console.out, highlight=False)
    )
    stopper = _Stopper(stack.broken)
    started = monotonic()
    try:
        with Progress(console) as progress:
            startup = Startup(
                home=home, stack=stack, plan=plan, state=state, environment=environment, progress=progress
            )
            state.user_id = await stopper.unless_stopped(startup.run(ports))
        home.save_state(state)
        ready = describe_ready(
            ports=ports,
            pids=stack.pids,
            environment=environment,
            database=plan.engines.database,
            user_id=state.user_id,
        )
        files.publish(ready)
        show_ready(console, home, ready, monotonic() - started)
        await stopper.unless_stopped(asyncio.Event().wait())
    except Interrupted:
        console.print("\nStopping. Ctrl-C once more to hurry.")
    finally:
        files.remove()
        await stack.stop(stopper.hurry)


class _Stopper:
    """The ways a run ends: a signal, or a process that cannot be kept running.

    A second signal sets `hurry`.
    """

    def __init__(self, broken: asyncio.Future[None]) -> None:
        self.hurry = asyncio.Event()
        self._broken = broken
        self._interrupted = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled)

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which is given up when the run ends first.

        Raises:
            Interrupted: the operator wants to stop.
            CannotContinue: a process cannot be kept running.
        """
        task = asyncio.create_task(work)
        signalled = asyncio.create_task(self._interrupted.wait())
        await asyncio.wait({task, signalled, self._broken}, return_when=asyncio.FIRST_COMPLETED)
        signalled.cancel()
        if task.done() and not self._broken.done():
            return task.result()
        task.cancel()
        await asyncio.wait({task})
        if self._broken.done():
            self._broken.result()
        raise Interrupted

    def _signalled(self) -> None:
        (self.hurry if self._interrupted.is_set() else self._interrupted).set()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
