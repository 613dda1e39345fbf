"""A headless Chromium, spoken to in its debugging protocol (https://chromedevtools.github.io/devtools-protocol)."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from support.polling import eventually

COMMANDS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=1000,900",
)

Answer = dict[str, Any]


def chromium() -> str | None:
    """The browser's command, if it is installed."""
    return next((found for name in COMMANDS if (found := shutil.which(name))), None)


class Browser:
    """One browser process, through one connection that carries the sessions of all its pages and workers."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self.events: list[Answer] = []

    async def listen(self) -> None:
        """Take answers and events until the browser ends."""
        async for message in self._socket:
            said = message.json()
            future = self._waiting.pop(said.get("id", 0), None)
            if future is None:
                self.events.append(said)
            elif not future.done():
                future.set_result(said)

    async def ask(self, method: str, session: str | None = None, **params: object) -> Answer:
        """Send a command, and give its result."""
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        addressed = {"sessionId": session} if session else {}
        await self._socket.send_json({"id": number, "method": method, "params": params, **addressed})
        async with asyncio.timeout(30):
            said = await future
        assert "error" not in said, f"{method}: {said['error']}"
        result: Answer = said["result"]
        return result

    @asynccontextmanager
    async def tab(self) -> AsyncIterator["Tab"]:
        """An empty page, closed on leaving."""
        target = (await self.ask("Target.createTarget", url="about:blank"))["targetId"]
        yield Tab(self, await self.attach(target))
        await self.ask("Target.closeTarget", targetId=target)

    async def attach(self, target: str) -> str:
        """A session with a page or a worker."""
        attached = await self.ask("Target.attachToTarget", targetId=target, flatten=True)
        session: str = attached["sessionId"]
        return session

    async def evaluate(self, session: str, script: str) -> Any:  # noqa: ANN401 - whatever the script gives
        """What a script gives, once its promise is kept."""
        answer = await self.ask(
            "Runtime.evaluate",
            session,
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")


class Tab:
    """A page, and the service worker that it registered."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.browser = browser
        self.session = session
        self.origin = ""

    async def open(self, url: str) -> None:
        """Go to a site that may show notifications."""
        self.origin = "/".join(url.split("/")[:3])
        await self.browser.ask("Browser.grantPermissions", permissions=["notifications"], origin=self.origin)
        await self.browser.ask("ServiceWorker.enable", self.session)
        of_notifications = {"service": "notifications"}
        await self.browser.ask("BackgroundService.startObserving", self.session, **of_notifications)
        await self.browser.ask(
            "BackgroundService.setRecording", self.session, shouldRecord=True, **of_notifications
        )
        await self.visit(url)

    async def visit(self, url: str) -> None:
        """Go to another page, and wait until it is loaded."""
        await self.browser.ask("Page.navigate", self.session, url=url)
        await self.until(f"location.href === {url!r} && document.readyState === 'complete'")

    async def evaluate(self, script: str) -> Any:  # noqa: ANN401 - whatever the script gives
        """Run a script in the page, as if the person had just clicked."""
        return await self.browser.evaluate(self.session, script)

    async def until(self, condition: str) -> None:
        """Wait until a condition holds in the page."""

        async def holds() -> bool:
            return bool(await self.evaluate(f"Boolean({condition})"))

        await eventually(holds)

    async def in_worker(self, script: str) -> Any:  # noqa: ANN401 - whatever the script gives
        """Run a script in the service worker."""
        targets = (await self.browser.ask("Target.getTargets"))["targetInfos"]
        (worker,) = [
            one["targetId"]
            for one in targets
            if one["type"] == "service_worker" and one["url"].startswith(self.origin)
        ]
        return await self.browser.evaluate(await self.browser.attach(worker), script)

    async def push(self, text: str) -> None:
        """Deliver a push message, as a push service would, to the worker of this page's origin."""
        await eventually(lambda: bool(self._registrations()))
        (registration,) = self._registrations()
        await self.browser.ask(
            "ServiceWorker.deliverPushMessage",
            self.session,
            origin=self.origin,
            registrationId=registration,
            data=text,
        )

    def _registrations(self) -> set[str]:
        """The workers of this origin that the browser has told of; a page hears of them on another way."""
        return {
            one["registrationId"]
            for event in self.browser.events
            if event["method"] == "ServiceWorker.workerRegistrationUpdated"
            for one in event["params"]["registrations"]
            if one["scopeURL"].startswith(self.origin) and not one["isDeleted"]
        }

    def displayed(self) -> int:
        """How many notifications of this origin the browser has displayed."""
        logged = [
            event["params"]["backgroundServiceEvent"]
            for event in self.browser.events
            if event["method"] == "BackgroundService.backgroundServiceEventReceived"
        ]
        return sum(
            one["eventName"] == "Notification displayed" and one["origin"].startswith(self.origin)
            for one in logged
        )

    async def notifications(self) -> list[Answer]:
        """
        What the browser shows of this origin.

        Never ask while one is being displayed: Chromium then forgets it.
        """
        shown: list[Answer] = await self.evaluate(_NOTIFICATIONS)
        return shown


_NOTIFICATIONS = """
(async () => {
  const registrations = await navigator.serviceWorker.getRegistrations();
  const shown = await Promise.all(registrations.map((one) => one.getNotifications()));
  return shown.flat().map((one) => ({
    title: one.title, body: one.body, icon: one.icon, image: one.image, actions: one.actions, data: one.data,
    tag: one.tag, renotify: one.renotify, silent: one.silent,
  }));
})()
"""


@asynccontextmanager
async def browsing(command: str) -> AsyncIterator[Browser]:
    """A browser with an empty profile, ended on leaving."""
    with tempfile.TemporaryDirectory(prefix="tidings-chromium-", ignore_cleanup_errors=True) as folder:
        profile = Path(folder)
        with (profile / "output").open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                command,
                *FLAGS,
                f"--user-data-dir={profile}",
                "about:blank",
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            address = await _address(process, profile)
            async with aiohttp.ClientSession() as http, http.ws_connect(address, max_msg_size=0) as socket:
                browser = Browser(socket)
                listening = asyncio.create_task(browser.listen())
                try:
                    yield browser
                finally:
                    await browser.ask("Browser.close")
                    await listening
        finally:
            # What it started itself, too: its crash handlers outlive it for a moment.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _address(process: asyncio.subprocess.Process, profile: Path) -> str:
    port_file = profile / "DevToolsActivePort"
    # Two lines: the port, and the path.
    await eventually(lambda: process.returncode is not None or _lines(port_file) == 2)
    assert process.returncode is None, (profile / "output").read_text()
    port, path = port_file.read_text().split()
    return f"ws://127.0.0.1:{port}{path}"


def _lines(path: Path) -> int:
    return len(path.read_text().split()) if path.exists() else 0
