"""`tidings up` as a user runs it: real processes, driven through their public interfaces only."""

import asyncio
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
import psutil

from support.polling import eventually

READY_SECONDS = 60.0
STOP_SECONDS = 40.0
SETTLED_SECONDS = 60.0
QUICK_RETRIES = {"TIDINGS_RETRY_DELAYS": "0.2,0.5,1", "TIDINGS_MAX_ATTEMPTS": "4"}

_OFFSETS = (0, 1, 2, 3, 4, 25, 26)
_FIRST_PORT, _LAST_PORT = 10_000, 32_000  # below the ports that outgoing connections take


class Stack:
    """A running `tidings up`. `output` is what it has shown so far."""

    def __init__(
        self, process: asyncio.subprocess.Process, home: Path, port_base: int, http: httpx.AsyncClient
    ) -> None:
        self.home = home
        self.port_base = port_base
        self.ready_file = home / "for-scripts.json"
        self.ready: dict[str, Any] = {}
        self.http = http
        self._process = process

    @classmethod
    async def start(
        cls,
        home: Path,
        *,
        port_base: int | None = None,
        env: Mapping[str, str] = QUICK_RETRIES,
        options: Mapping[str, str] | None = None,
    ) -> Self:
        """Start and wait until the ready file is there. `options` are `up`'s, such as `{"broker": url}`.

        Raises:
            AssertionError: it ended, or was not ready within a minute; with what it showed.
        """
        base = port_base or free_port_base()
        process = await start_command(home, *up_arguments(home, base, **(options or {})), env=env)
        stack = cls(process, home, base, httpx.AsyncClient(timeout=30))
        try:
            await eventually(stack._is_ready, within=READY_SECONDS)
        except BaseException:
            await stack.stop(signal.SIGKILL)
            raise
        stack.ready = stack.read_ready()
        stack.http.headers["Authorization"] = f"Bearer {stack.ready['api_key']}"
        return stack

    @property
    def output(self) -> str:
        """What it has shown."""
        return output_of(self.home)

    @property
    def pid(self) -> int:
        """The supervisor."""
        return self._process.pid

    @property
    def gateway(self) -> str:
        """The public API."""
        return str(self.ready["services"]["gateway"]["url"])

    @property
    def simulator(self) -> str:
        """The simulated outside world."""
        return str(self.ready["simulator"]["url"])

    def read_ready(self) -> dict[str, Any]:
        """The ready file as it is now."""
        return msgspec.json.decode(self.ready_file.read_bytes(), type=dict[str, Any])

    def service_pid(self, service: str) -> int:
        """The process of a service now."""
        ready = self.read_ready()
        entry = ready["simulator"] if service == "simulator" else ready["services"][service]
        return int(entry["pid"])

    def kill(self, service: str) -> int:
        """End a service as the out-of-memory killer would; returns the pid it had."""
        pid = self.service_pid(service)
        os.kill(pid, signal.SIGKILL)
        return pid

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        supervisor = psutil.Process(self.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    async def is_up(self, service: str) -> bool:
        """Whether a service says it is ready."""
        ready = self.read_ready()
        entry = ready["simulator"] if service == "simulator" else ready["services"][service]
        try:
            return (await self.http.get(f"{entry['url']}/health/ready")).is_success
        except httpx.TransportError:
            return False

    def request(self, channel: str = "email", **fields: object) -> dict[str, Any]:
        """A request for the seeded user and template, with `fields` changed or added."""
        return {
            "request_id": secrets.token_hex(8),
            "channel": channel,
            "user_id": self.ready["user_id"],
            "template_id": self.ready["template_id"],
            "variables": {"name": "Ada", "link": "https://example.com/start"},
            **fields,
        }

    async def post_notification(self, channel: str = "email", **fields: object) -> httpx.Response:
        """Hand in `request(channel, **fields)`."""
        return await self.http.post(f"{self.gateway}/v1/notifications", json=self.request(channel, **fields))

    async def accept(self, channel: str = "email", **fields: object) -> str:
        """Hand in a request that has to be taken; returns the notification's id."""
        answer = await self.post_notification(channel, **fields)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return str(answer.json()["id"])

    async def notification(self, notification_id: str) -> dict[str, Any]:
        """A notification with its timeline."""
        return await self._read(f"{self.gateway}/v1/notifications/{notification_id}")

    async def wait_settled(self, notification_id: str, *, within: float = SETTLED_SECONDS) -> dict[str, Any]:
        """The notification, once its outcome is recorded."""
        found: dict[str, Any] = {}

        async def settled() -> bool:
            found.update(await self.notification(notification_id))
            return bool(found["settled"])

        await eventually(settled, within=within)
        return found

    async def inbox(self, to: str | None = None) -> list[dict[str, Any]]:
        """Every email in the simulator's inbox, newest first."""
        return await self._all("inbox", "messages", {"to": to} if to else {})

    async def pushes(self) -> list[dict[str, Any]]:
        """Every push the simulator took, newest first."""
        return await self._all("push", "pushes", {})

    async def faults(self, *faults: Mapping[str, Any]) -> None:
        """Let the simulator misbehave in these ways and no others."""
        answer = await self.http.put(f"{self.simulator}/api/faults", json=list(faults))
        assert answer.is_success, answer.text

    async def clear(self) -> None:
        """An empty simulator without faults."""
        for path in ("inbox", "push", "faults"):
            await self.http.delete(f"{self.simulator}/api/{path}")

    async def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Signal the supervisor and wait for its end; returns its exit code."""
        await self.http.aclose()
        if self._process.returncode is None:
            self._process.send_signal(number)
        async with asyncio.timeout(STOP_SECONDS):
            return await self._process.wait()

    def _is_ready(self) -> bool:
        ended = self._process.returncode
        assert ended is None, f"tidings up ended with {ended}:\n{self.output}"
        return self.ready_file.exists()

    async def _all(self, path: str, key: str, params: dict[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            query = {**params, "limit": "1000", **({"cursor": cursor} if cursor else {})}
            page = await self._read(f"{self.simulator}/api/{path}", query)
            found += page[key]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    async def _read(self, url: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        answer = await self.http.get(url, params=params)
        assert answer.is_success, answer.text
        return dict(answer.json())


@contextmanager
def folder_for_homes() -> Iterator[Path]:
    """A folder that goes away with the block.

    It is none of pytest's, because each pytest that starts closes the root of those to other
    users, and PostgreSQL runs as another user when the tests run as root.
    """
    with tempfile.TemporaryDirectory(prefix="tidings-homes-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def up_arguments(home: Path, port_base: int, **options: str) -> list[str]:
    """The words after `tidings` that start a stack."""
    words = ["up", "--home", str(home), "--port-base", str(port_base)]
    words += ["--ready-file", str(home / "for-scripts.json")]
    return words + [word for name, value in options.items() for word in (f"--{name}", value)]


async def start_command(
    home: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    """Start `tidings …` with what it shows kept for `output_of(home)`; TIDINGS_ variables only from `env`."""
    home.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a moment
    clean = {key: value for key, value in os.environ.items() if not key.startswith("TIDINGS_")}
    with (home / "shown.txt").open("wb") as shown:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tidings.cli",
            *arguments,
            env={**clean, **(env or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=shown,
            stderr=shown,
        )


async def run_command(home: Path, *arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run `tidings …` to its end; returns the exit code and what it showed."""
    process = await start_command(home, *arguments, env=env)
    async with asyncio.timeout(READY_SECONDS):
        code = await process.wait()
    return code, output_of(home)


def output_of(home: Path) -> str:
    """What the last command started with this folder has shown."""
    return (home / "shown.txt").read_text()


def free_port_base() -> int:
    """A number from which all ports that `--port-base` takes are free now."""
    while True:
        base = _FIRST_PORT + secrets.randbelow(_LAST_PORT - _FIRST_PORT)
        if all(_is_free(base + offset) for offset in _OFFSETS):
            return base


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
