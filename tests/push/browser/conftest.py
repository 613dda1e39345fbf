"""A real browser on the demo page, the push service's scripts, and somebody who takes the reports."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from litestar import Litestar, MediaType, Request, Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from push.browser.chromium import Browser, Tab, browsing, chromium
from support.ports import free_port
from support.serving import serving
from tidings.kit.ids import now
from tidings.push.browser.routes import routes
from tidings.push.keys import make_vapid_keys
from tidings.simulator.api import list_pushes
from tidings.simulator.demo import demo_routes
from tidings.simulator.fcm.send import StoredPush
from tidings.simulator.journal import Journal
from tidings.simulator.push_apis.subscriptions import Subscriptions, subscription_routes

WORKER = "/demo/worker.js"
_START = """
(async () => {
  const registration = await navigator.serviceWorker.register("%s");
  while (registration.active?.state !== "activated") await new Promise((later) => setTimeout(later, 10));
})()
"""


@dataclass
class Reports:
    """What browsers told: path and body of each request. A path in `refusals` gets that status once."""

    told: list[tuple[str, Any]] = field(default_factory=list)
    content_types: set[str] = field(default_factory=set)
    refusals: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Simulator:
    """The parts of the simulator that the demo page uses, and somebody who takes reports."""

    port: int
    push_url: str
    reports: Reports
    pushes: Journal[StoredPush]
    subscriptions: Subscriptions


@dataclass(frozen=True)
class Site:
    """The demo page open in a browser, on an origin that nothing else uses."""

    name: str
    tab: Tab
    simulator: Simulator

    @property
    def url(self) -> str:
        return f"http://{self.name}.localhost:{self.simulator.port}"

    @property
    def report_url(self) -> str:
        """Where this site's reports are taken: another origin."""
        return f"http://127.0.0.1:{self.simulator.port}/told/{self.name}"

    def told(self, name: str | None = None) -> list[Any]:
        """What was reported, or told at a path of another name."""
        return [body for path, body in self.simulator.reports.told if path == (name or self.name)]

    async def start_worker(self, query: str = "") -> None:
        """Register the service worker, without a subscription."""
        await self.tab.evaluate(_START % f"{WORKER}{query}")

    async def visit_the_shop(self) -> None:
        """Leave the demo for an ordinary page of the same origin."""
        await self.tab.visit(f"{self.url}/shop")

    async def push(self, **fields: object) -> None:
        """Deliver a push message of Tidings'."""
        words = {"title": "Order 7", "body": "It is on its way", "notification_id": "n-7", "tag": "n-7"}
        body = {**words, "engagement_url": self.report_url, **fields}
        await self.tab.push(msgspec.json.encode(body).decode())

    def has_ended(self, endpoint: str) -> bool:
        """Whether the simulator's push service would answer 410 for this subscription."""
        name, known = endpoint.rsplit("/", 1)[-1], self.simulator.subscriptions
        return known.is_known(name) and known.get(name) is None

    def take(self, endpoint: str, notification: object) -> None:
        """Keep, as the simulator does, a push to a subscription of its own."""
        stored = StoredPush(
            provider="webpush",
            received_at=now(),
            project=self.url,
            token=endpoint,
            name=self.name,
            message={"notification": notification},
        )
        self.simulator.pushes.add(stored)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for the suite."""
    command = chromium()
    if command is None:
        pytest.skip("Chromium is not installed: Web Push was not tried in a browser")
    async with browsing(command) as browser:
        yield browser


@pytest.fixture(scope="session")
async def demo() -> AsyncIterator[Simulator]:
    """The demo page with a push service behind it."""
    pushes: Journal[StoredPush] = Journal(max_entries=100, max_bytes=1_000, size=lambda _: 0)
    async with _push_service() as push_url:
        simulator = Simulator(free_port(), push_url, Reports(), pushes, Subscriptions())
        async with serving(_app_of(simulator), simulator.port):
            yield simulator


@pytest.fixture(scope="session")
async def other_push_url() -> AsyncIterator[str]:
    """A push service with another key."""
    async with _push_service() as url:
        yield url


@pytest.fixture
async def site(browser: Browser, demo: Simulator) -> AsyncIterator[Site]:
    """A new origin for each test, so that no permission, worker or notification is left over."""
    name = f"site-{uuid4().hex[:8]}"
    async with browser.tab() as tab:
        site = Site(name, tab, demo)
        await tab.open(f"{site.url}/demo/")
        yield site


@asynccontextmanager
async def _push_service() -> AsyncIterator[str]:
    app = Litestar(routes(make_vapid_keys().public), openapi_config=None, logging_config=None)
    async with serving(app, free_port()) as url:
        yield url


def _app_of(simulator: Simulator) -> Litestar:
    return Litestar(
        [
            *demo_routes(simulator.push_url),
            subscription_routes(),
            Router("/api", route_handlers=[list_pushes]),
            take_report,
            shop,
        ],
        dependencies={
            "pushes": Provide(lambda: simulator.pushes, sync_to_thread=False),
            "subscriptions": Provide(lambda: simulator.subscriptions, sync_to_thread=False),
            "reports": Provide(lambda: simulator.reports, sync_to_thread=False),
        },
        openapi_config=None,
        logging_config=None,
    )


@post("/told/{name:str}", status_code=204)
async def take_report(
    name: FromPath[str], request: Request[Any, Any, Any], reports: NamedDependency[Reports]
) -> Response[None]:
    """What the gateway is for a browser, or a site's own backend."""
    allowed = {"Access-Control-Allow-Origin": "*"}
    if name in reports.refusals:
        return Response(None, status_code=reports.refusals.pop(name), headers=allowed)
    reports.content_types.add(request.headers.get("content-type", ""))
    reports.told.append((name, msgspec.json.decode(await request.body())))
    return Response(None, status_code=204, headers=allowed)


@get("/shop", media_type=MediaType.HTML)
async def shop() -> str:
    """An ordinary page of a site, that may load scripts from elsewhere."""
    return "<!doctype html><title>Shop</title>"
