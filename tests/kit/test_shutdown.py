"""How a service's process ends: a real one, told by a signal."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from support.polling import eventually
from support.servers import free_port

TESTS = Path(__file__).parent.parent
SLOW_SERVICE = Path(__file__).with_name("slow_service.py")


@asynccontextmanager
async def running(shutdown_seconds: float) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """The process and a client of it, once it answers."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SLOW_SERVICE), str(port), str(shutdown_seconds)),
        stdout=PIPE,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            await eventually(lambda: is_alive(client))
            yield process, client
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def is_alive(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health/live")).is_success
    except httpx.TransportError:
        return False


async def line(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_request_in_flight_is_finished(number: signal.Signals) -> None:
    """After the signal new callers are refused, the one in flight gets its answer, and everything closes."""
    async with running(shutdown_seconds=20) as (process, client), asyncio.timeout(30):
        answer = asyncio.create_task(client.get("/slow", params={"seconds": 0.5}))
        assert await line(process) == "in work"
        process.send_signal(number)
        assert (await answer).text == "finished"
        assert await line(process) == "closed"
        assert await process.wait() == 0
        assert not await is_alive(client)


async def test_shutting_down_has_a_limit() -> None:
    """A request that takes longer than the limit is cut off, and everything still closes in order."""
    async with running(shutdown_seconds=1) as (process, client), asyncio.timeout(30):
        answer = asyncio.create_task(client.get("/slow", params={"seconds": 600}))
        assert await line(process) == "in work"
        process.terminate()
        assert await line(process) == "closed"
        assert await process.wait() == 0
        assert (await answer).is_server_error
