"""The slow service as a process, with a client of it."""

import os
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from support.polling import eventually
from support.ports import free_port

TESTS = Path(__file__).parent.parent
SLOW_SERVICE = Path(__file__).with_name("slow_service.py")


@asynccontextmanager
async def running(
    *, shutdown_seconds: float = 1, slow_client_seconds: float = 30
) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """The process and a client of it, once it answers."""
    port = free_port()
    process = await create_subprocess_exec(
        *(sys.executable, str(SLOW_SERVICE), str(port), str(shutdown_seconds), str(slow_client_seconds)),
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
    """Whether it answers."""
    try:
        return (await client.get("/health/live")).is_success
    except httpx.TransportError:
        return False
