"""`tidings up` on its embedded engines."""

import json
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest

from support.commands import run_command
from support.polling import eventually
from support.stack import Stack

pytestmark = pytest.mark.journey

BACK_SECONDS = 60.0
FIVE = {"gateway", "users", "templates", "email", "push"}


@pytest.fixture(scope="module")
async def stack(shared_home: Path) -> AsyncIterator[Stack]:
    """One start for the tests here; each leaves it running."""
    running = await Stack.start(shared_home)
    yield running
    await running.stop()


async def test_ready_file(stack: Stack) -> None:
    """The ready file names every process and everything a script needs, and only its owner may read it."""
    ready = stack.read_ready()
    assert set(ready) == {
        *(
            "services",
            "api_key",
            "test_api_key",
            "simulator",
            "user_id",
            "template_id",
            "broker",
            "database",
            "cache",
        )
    }
    assert set(ready["services"]) == FIVE
    assert ready["simulator"]["smtp"] == f"127.0.0.1:{stack.port_base + 26}"
    assert all(psutil.pid_exists(entry["pid"]) for entry in ready["services"].values())
    await eventually(lambda: _all_up(stack), within=BACK_SECONDS)
    assert stack.ready_file.stat().st_mode & 0o777 == 0o600
    assert json.loads((stack.home / "ready.json").read_text()) == ready


async def test_printed_request(stack: Stack) -> None:
    """The request that is shown at the end can be pasted: it is accepted and arrives as an email."""
    words = shlex.split(stack.output[stack.output.index("curl") :].partition("\n\n")[0])
    url = next(word for word in words if word.startswith("http"))
    headers = dict(words[i + 1].split(": ") for i, word in enumerate(words) if word == "-H")
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(url, headers=headers, content=words[words.index("-d") + 1])
    assert answer.status_code == httpx.codes.ACCEPTED
    await stack.wait_settled(answer.json()["id"])
    assert [message["to"] for message in await stack.inbox()] == [["ada@example.com"]]


async def test_seeded_push(stack: Stack) -> None:
    """The seeded user has a device, and the seeded template a push form."""
    settled = await stack.wait_settled(await stack.accept("push"))
    assert settled["status"] == "sent"
    assert [push["message"]["notification"]["title"] for push in await stack.pushes()] == ["Welcome, Ada"]


async def test_second_up(stack: Stack) -> None:
    """A second start on the same home says who has it, and ends."""
    code, shown = await run_command(stack.home.parent, "up", "--home", str(stack.home))
    assert code == 1
    assert f"pid {stack.pid}" in shown
    assert stack.gateway in shown


async def test_taken_ports(stack: Stack, tmp_path: Path) -> None:
    """A taken port is named, with who wants it and the way out, before anything starts."""
    home, base = str(tmp_path / "other"), str(stack.port_base)
    code, shown = await run_command(tmp_path, "up", "--home", home, "--port-base", base)
    assert code == 1
    assert f"Port {stack.port_base} is taken, and gateway needs it" in shown
    assert "--port-base" in shown
    assert not (tmp_path / "other" / "postgres").exists()


@pytest.mark.parametrize("service", [*sorted(FIVE), "simulator"])
async def test_killed_service(stack: Stack, service: str) -> None:
    """A killed service is started again, and the ready file has its new pid."""
    killed = stack.kill(service)
    await _is_back(stack, service, killed)
    assert (await stack.wait_settled(await stack.accept()))["status"] == "sent"


@pytest.mark.parametrize("engine", ["postgres", "valkey-server"])
async def test_killed_engine(stack: Stack, engine: str) -> None:
    """A killed engine is started again where it was, with its data."""
    before = await stack.accept()
    killed = _engine(stack, engine)
    assert killed is not None
    killed.kill()
    # Before that, whoever asks may still be answered by what is about to end.
    await eventually(lambda: _engine(stack, engine) not in {killed, None}, within=BACK_SECONDS)
    await eventually(lambda: _all_up(stack), within=BACK_SECONDS)
    assert (await stack.wait_settled(before))["status"] == "sent"


async def test_killed_zygote(stack: Stack) -> None:
    """When the process that services are forked from is killed, all of them come back."""
    before = {service: stack.service_pid(service) for service in FIVE}
    next(p for p in psutil.Process(stack.pid).children() if p.name() == "tidings-zygote").kill()
    for service, pid in before.items():
        await _is_back(stack, service, pid)
    assert (await stack.wait_settled(await stack.accept()))["status"] == "sent"


@pytest.mark.parametrize("neighbour", ["users.users", "templates.templates", "broker.messages"])
async def test_roles_are_apart(stack: Stack, neighbour: str) -> None:
    """A service's database role cannot read another schema."""
    connection = await asyncpg.connect(stack.ready["database"])
    try:
        await connection.execute("set role tidings_gateway")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"select * from {neighbour}")  # noqa: S608 - a name from this file
    finally:
        await connection.close()


def _engine(stack: Stack, name: str) -> psutil.Process | None:
    """The process of an engine, if it is there now."""
    found = (one for one in psutil.process_iter(["ppid", "name"]) if one.info["ppid"] == stack.pid)
    return next((one for one in found if one.info["name"] == name), None)


async def _is_back(stack: Stack, service: str, killed: int) -> None:
    await eventually(lambda: stack.service_pid(service) != killed, within=BACK_SECONDS)
    await eventually(lambda: stack.is_up(service), within=BACK_SECONDS)


async def _all_up(stack: Stack) -> bool:
    return all([await stack.is_up(service) for service in sorted(FIVE)])
