"""The receiver that docs/callbacks.md shows, at work."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from docs.markdown import ROOT, blocks
from gateway.callbacks.conftest import Hook, OpenDesk, step
from support.polling import eventually
from support.ports import free_port
from tidings.contracts.codes import Status


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The page's receiver as a file."""
    (receiver,) = [block for block in blocks(ROOT / "docs" / "callbacks.md") if block.info == "python"]
    path = tmp_path / "receiver.py"
    path.write_text(receiver.text)
    return path


@asynccontextmanager
async def running(program: Path, port: int, secret: str) -> AsyncIterator[asyncio.StreamReader]:
    """What the receiver prints, for as long as it runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(program),
        env={"CALLBACK_SECRET": secret, "PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        await eventually(lambda: _listens(port))
        yield process.stdout
    finally:
        process.kill()
        await process.wait()


async def _listens(port: int) -> bool:
    async with httpx.AsyncClient() as http:
        try:
            return (await http.post(f"http://127.0.0.1:{port}/", content=b"{}")).status_code == 401
        except httpx.TransportError:
            return False


async def test_the_receiver_of_the_page(open_desk: OpenDesk, program: Path) -> None:
    """It takes what we sign, once and in order, and refuses what nobody signed."""
    port = free_port()
    async with open_desk(callback_hosts=(f"127.0.0.1:{port}",)) as desk, desk.caller() as caller:
        endpoint = await caller.add(Hook(f"http://127.0.0.1:{port}/"))
        async with running(program, port, endpoint["secret"]) as printed:
            assert (await caller.ask(endpoint, "test"))["taken"] is True
            assert (await printed.readline()).split() == [
                b"callback_endpoint.test",
                endpoint["id"].encode(),
                b"active",
            ]
            notification_id = await caller.send()
            await caller.report(step(notification_id, Status.SENT))
            line = (await printed.readline()).decode().split()
            assert line == ["notification.sent", str(notification_id), "sent"]
