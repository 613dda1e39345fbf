"""The simulator as a process: how it starts, and how it ends."""

import asyncio
from pathlib import Path

import aiosmtplib
import pytest

from simulator.running import Simulator, running, settings_in
from tidings.kit.settings import SettingsError
from tidings.simulator.app import run


async def test_ends_gracefully_with_connections_open(tmp_path: Path) -> None:
    """SIGTERM ends it with code 0, though SMTP and HTTP clients are still connected."""
    async with running(settings_in(tmp_path)) as simulator:
        smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=simulator.smtp_port)
        await smtp.connect()
        await smtp.ehlo()
        assert await simulator.process.end() == 0
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await smtp.noop()
        smtp.close()


async def test_taken_smtp_port_is_named(simulator: Simulator, tmp_path: Path) -> None:
    """A second simulator on the same SMTP port does not start, and says which port and which setting."""
    with pytest.raises(SettingsError, match="TIDINGS_SIMULATOR_SMTP_PORT") as refused:
        await run(settings_in(tmp_path, smtp_port=simulator.smtp_port))
    assert str(simulator.smtp_port) in str(refused.value)


async def test_keeps_answering_under_many_connections(simulator: Simulator) -> None:
    """Twenty senders at once lose nothing, and HTTP is answered meanwhile."""

    async def send(count: int) -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=simulator.smtp_port) as smtp:
            for _ in range(count):
                await smtp.sendmail("a@example.com", ["b@example.com"], b"Subject: x\r\n\r\nHello\r\n")
            await simulator.http.get("/health/live")

    await asyncio.gather(*(send(20) for _ in range(20)))
    page = (await simulator.http.get("/api/inbox?limit=1000")).json()
    assert page["total"] == len(page["messages"]) == 400
    assert len({message["id"] for message in page["messages"]}) == 400
