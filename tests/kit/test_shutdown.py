"""How a service's process ends: a real one, told by a signal."""

import asyncio
import signal
from asyncio.subprocess import Process

import pytest

from kit.slow_process import is_alive, running


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
