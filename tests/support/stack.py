"""`tidings up` as a user runs it: real processes, driven through their public interfaces only."""

import asyncio
import os
import secrets
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
import psutil

from support.commands import output_of, start_command, up_arguments
from support.polling import eventually
from support.ports import free_port_base
from support.servers import PATIENCE

READY_SECONDS = 120.0
STOP_SECONDS = 40.0
SETTLED_SECONDS = 120.0
PATIENT = {f"TIDINGS_{name}_SECONDS": f"{PATIENCE}" for name in ("DATABASE", "LOOK_UP")}
QUICK_RETRIES = {"TIDINGS_RETRY_DELAYS": "0.2,0.5,1", "TIDINGS_MAX_ATTEMPTS": "4"}


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
            AssertionError: it ended, or was not ready within two minutes; with what it showed.
        """
        base = port_base or free_port_base()
        arguments = up_arguments(home, base, **(options or {}))
        process = await start_command(home, *arguments, env={**PATIENT, **env})
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

    async def restart(self, service: str) -> None:
        """End a service and wait for its successor, which knows nothing of earlier failures."""
        before = self.kill(service)
        await eventually(lambda: self.service_pid(service) != before, within=READY_SECONDS)
        await eventually(lambda: self.is_up(service), within=READY_SECONDS)

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
