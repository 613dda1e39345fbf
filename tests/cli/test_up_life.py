"""How `tidings up` begins and ends."""

import signal
from pathlib import Path

import psutil
import pytest

from support.commands import run_command, up_arguments
from support.polling import eventually
from support.ports import free_port_base
from support.servers import create_database
from support.stack import QUICK_RETRIES, Stack

pytestmark = pytest.mark.journey

GONE_SECONDS = 60.0
SMTP_OFFSET = 26
"""The port of the simulator's SMTP server, after the first port."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_stop_leaves_nothing(home: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end every process and take the ready file away."""
    stack = await Stack.start(home)
    processes = stack.processes()
    assert await stack.stop(number) == 0
    assert [process for process in processes if process.is_running()] == []
    assert not stack.ready_file.exists()


async def test_data_stays(home: Path) -> None:
    """A stopped home started again has the same key, the same user and its notifications."""
    stack = await Stack.start(home)
    sent = await stack.wait_settled(await stack.accept())
    await stack.stop()
    again = await Stack.start(home)
    try:
        assert again.ready["api_key"] == stack.ready["api_key"]
        assert again.ready["user_id"] == stack.ready["user_id"]
        assert await again.notification(sent["id"]) == sent
    finally:
        await again.stop()


async def test_killed_supervisor(home: Path) -> None:
    """When the supervisor is killed everything ends with it, and the home can be started again at once."""
    stack = await Stack.start(home)
    sent = await stack.wait_settled(await stack.accept())
    processes = stack.processes()
    await stack.stop(signal.SIGKILL)
    stack.ready_file.unlink()
    again = await Stack.start(home, port_base=stack.port_base)
    try:
        await eventually(lambda: not any(map(psutil.Process.is_running, processes)), within=GONE_SECONDS)
        assert (await again.notification(sent["id"]))["status"] == "sent"
    finally:
        await again.stop()


async def test_a_provider_that_is_down(home: Path, tmp_path: Path) -> None:
    """What a service can do without keeps nothing from starting: it is named, and another provider sends."""
    base = free_port_base()
    relay = '[providers.{name}]\nkind = "smtp"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
    ways = relay.format(name="away", port=1) + relay.format(name="here", port=base + SMTP_OFFSET)
    file = tmp_path / "providers.toml"
    file.write_text(ways, encoding="utf-8")
    env = {**QUICK_RETRIES, "TIDINGS_EMAIL_PROVIDERS_FILE": str(file)}
    stack = await Stack.start(home, port_base=base, env=env)
    try:
        assert "email starts all the same: away: " in stack.output
        sent = await stack.wait_settled(await stack.accept())
        assert (sent["status"], sent["timeline"][-1]["provider"]) == ("sent", "here")
    finally:
        await stack.stop()


async def test_wrong_setting(home: Path) -> None:
    """A setting that a service cannot take is named, and everything else is stopped again."""
    arguments = up_arguments(home, free_port_base())
    code, shown = await run_command(home, *arguments, env={"TIDINGS_MAX_ATTEMPTS": "none"})
    assert code == 1
    assert "TIDINGS_MAX_ATTEMPTS is malformed" in shown
    assert not (home / "for-scripts.json").exists()
    assert not (home / "postgres" / "postmaster.pid").exists()


async def test_wrong_database(home: Path) -> None:
    """A database that does not answer is named without its password."""
    arguments = up_arguments(home, free_port_base(), database="postgresql://me:hidden@127.0.0.1:1/tidings")
    code, shown = await run_command(home, *arguments)
    assert code == 1
    assert "PostgreSQL at postgresql://127.0.0.1:1/tidings cannot be used" in shown
    assert "hidden" not in shown


async def test_own_servers(home: Path, postgres_admin_url: str, valkey_url: str) -> None:
    """Two homes, one after the other, use the database and cache that are named; each has its own user."""
    database = await create_database(postgres_admin_url)
    users = set()
    for name in ("one", "two"):
        stack = await Stack.start(home / name, options={"database": database, "cache": valkey_url})
        try:
            assert (stack.ready["database"], stack.ready["cache"]) == (database, valkey_url)
            assert (await stack.wait_settled(await stack.accept()))["status"] == "sent"
            assert not (home / name / "postgres").exists()
            users.add(stack.ready["user_id"])
        finally:
            assert await stack.stop() == 0
    assert len(users) == 2
