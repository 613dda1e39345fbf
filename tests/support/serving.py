"""Services at work in tests: an application behind a real port, or a process that a test may kill."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import msgspec
import pytest
import uvicorn
from litestar import Litestar

from support.polling import eventually
from tidings.kit.settings import HttpSettings

START_SECONDS = 120
BESIDE_EXAMPLES = pytest.mark.filterwarnings(
    "ignore:Do not use the `random` module inside strategies:hypothesis.errors.HypothesisDeprecationWarning"
)
"""For a test that draws examples in a thread: Hypothesis takes the chance of a service for its own."""


class _Server(uvicorn.Server):
    """A server that leaves the signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: Litestar, port: int) -> AsyncIterator[str]:
    """The URL of `app`, which listens on `port` in this process for as long as the block runs."""
    server = _Server(
        uvicorn.Config(
            app,
            port=port,
            access_log=False,
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=75,  # as at the services: an idle client is the first to hang up
        )
    )
    task = asyncio.create_task(server.serve())
    try:
        await eventually(lambda: server.started or task.done(), within=START_SECONDS)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


class ServiceProcess:
    """A service as it is deployed: a process configured by its environment."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; returns the exit code."""
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await self._process.wait()


@asynccontextmanager
async def service_process(service: str, settings: HttpSettings) -> AsyncIterator[ServiceProcess]:
    """`tidings.<service>` as a process that answers, ended on leaving. What it logs is shown if it fails."""
    with tempfile.TemporaryFile() as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            f"from tidings.{service}.app import main; main()",
            env={**os.environ, **_environment(settings)},
            stdout=output,
            stderr=output,
        )
        running = ServiceProcess(process)
        try:
            await eventually(lambda: _answers(process, settings.port), within=START_SECONDS)
            yield running
        finally:
            await running.end()
            output.seek(0)
            print(output.read().decode(errors="replace"))  # noqa: T201 - pytest shows it with a failure


async def _answers(process: asyncio.subprocess.Process, port: int) -> bool:
    if process.returncode is not None:
        raise AssertionError(f"the service ended with {process.returncode} before it answered")
    try:
        async with httpx.AsyncClient() as http:
            return (await http.get(f"http://127.0.0.1:{port}/health/live")).is_success
    except httpx.TransportError:
        return False


def _environment(settings: HttpSettings) -> dict[str, str]:
    given = {name: getattr(settings, name) for name in settings.__struct_fields__}
    return {f"TIDINGS_{name.upper()}": _text(value) for name, value in given.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
