"""The processes of one home: engines and services, started, watched and stopped."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from time import monotonic
from typing import Any

from tidings.cli.engines.postgres import Postgres
from tidings.cli.engines.valkey import Valkey
from tidings.cli.environment import STOP_SECONDS
from tidings.cli.errors import CannotContinue
from tidings.cli.forking.forks import Forks
from tidings.cli.forking.messages import Job
from tidings.cli.health import ask_health
from tidings.cli.home import Home
from tidings.cli.ports import Ports
from tidings.cli.running import EXIT_SETTINGS
from tidings.cli.supervisor import Child, Supervised, stop_all

READY_SECONDS = 60.0
WARN_SECONDS = 5.0
"""How long what a service can do without, such as one of several providers, may take to be there."""
ASK_EVERY = 0.03
KILL_AFTER = STOP_SECONDS + 2.0
ENGINE_KILL_AFTER = 15.0
FIRST_TRIES = 3


class Stack:
    """Everything that runs for one home.

    `broken` gets an exception when a process cannot be kept running; `on_change` is called when a
    process was started, so that pids can be published; `say` shows a line to the operator.
    """

    def __init__(
        self, home: Home, ports: Ports, *, on_change: Callable[[], None], say: Callable[[str], None]
    ) -> None:
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._home = home
        self._ports = ports
        self._on_change = on_change
        self._say = say
        self._forks = Forks()
        self._services: dict[str, Supervised] = {}
        self._engines: dict[str, tuple[Supervised, signal.Signals]] = {}
        self._was_ready: set[str] = set()
        self._keepers: set[asyncio.Task[None]] = set()

    @property
    def pids(self) -> dict[str, int | None]:
        """The process id of each service."""
        return {name: process.pid for name, process in self._services.items()}

    async def run_job(self, job: Job) -> str | None:
        """Run a short job outside this process, so that its libraries are not loaded here.

        Raises:
            CannotContinue: it could not be done.
        """
        return await self._forks.run(job, self._home.log_file("setup"))

    async def prepare_forks(self) -> None:
        """Begin to load what the services share."""
        await self._forks.open()

    async def start_engine(self, name: str, engine: Postgres | Valkey) -> None:
        """Start an engine and wait until it answers.

        Raises:
            CannotContinue: it does not answer within a minute.
        """
        process = Supervised(name, engine.start, self)
        self._engines[name] = (process, engine.stop_signal)
        self._keep(process)
        await self._until_ready(name, engine.answers)

    async def start_service(self, name: str, environment: Mapping[str, str]) -> None:
        """Start a service and wait until it is ready, or lacks only what it can do without.

        Raises:
            CannotContinue: it is not ready within a minute.
        """
        log = self._home.log_file(name)

        def spawn() -> Coroutine[Any, Any, Child]:
            return self._forks.start(name, environment, log)

        patient_until = monotonic() + WARN_SECONDS

        async def passes() -> bool:
            health = await ask_health(self._ports.host, self._ports.http[name])
            if health is None or health.status != "warn":
                return health is not None and health.status == "pass"
            if monotonic() < patient_until:
                return False
            self._say(f"{name} starts all the same: {health.faults}")
            return True

        self._services[name] = Supervised(name, spawn, self)
        self._keep(self._services[name])
        await self._until_ready(name, passes)

    async def stop(self, hurry: asyncio.Event) -> None:
        """Stop the services, then the engines. When `hurry` is set, kill what has not ended."""
        await stop_all([*self._services.values()], signal.SIGTERM, limit=KILL_AFTER, hurry=hurry)
        await asyncio.gather(
            *(
                process.stop(number, limit=ENGINE_KILL_AFTER, hurry=hurry)
                for process, number in self._engines.values()
            )
        )
        for keeper in self._keepers:
            keeper.cancel()  # one that pauses before the next start has nothing left to do
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await self._forks.close()

    def started(self, process: Supervised) -> None:
        """See `Observer`."""
        if process.name in self._services:
            self._on_change()

    def ended(self, process: Supervised, code: int) -> None:
        """See `Observer`."""
        name = process.name
        log = self._home.last_lines(name)
        if code == EXIT_SETTINGS or (name not in self._was_ready and process.quick_ends >= FIRST_TRIES):
            raise CannotContinue(f"{name} cannot start ({_how(code)}). Its last words:\n{log}")
        self._say(f"{name} ended ({_how(code)}); it is started again")
        if process.quick_ends > 1 and code != -signal.SIGKILL:
            self._say(f"{name} ended {process.quick_ends} times within seconds. Its last words:\n{log}")

    def _keep(self, process: Supervised) -> None:
        keeper = asyncio.create_task(process.keep_running())
        self._keepers.add(keeper)
        keeper.add_done_callback(self._give_up)

    def _give_up(self, keeper: asyncio.Task[None]) -> None:
        error = None if keeper.cancelled() else keeper.exception()
        if error and not self.broken.done():
            self.broken.set_exception(error)

    async def _until_ready(self, name: str, ready: Callable[[], Awaitable[bool]]) -> None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await ready():  # noqa: ASYNC110 - another process tells by answering
                    await asyncio.sleep(ASK_EVERY)
        except TimeoutError:
            raise CannotContinue(await self._why_not_ready(name)) from None
        self._was_ready.add(name)

    async def _why_not_ready(self, name: str) -> str:
        health = (
            await ask_health(self._ports.host, self._ports.http[name]) if name in self._services else None
        )
        reason = (
            health.faults if health else f"it does not answer. Its last words:\n{self._home.last_lines(name)}"
        )
        return f"{name} is not ready after {READY_SECONDS:.0f} s: {reason}"


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
