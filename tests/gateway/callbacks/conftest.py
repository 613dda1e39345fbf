"""A gateway of its own, callers with a key each, and a server that plays their endpoints."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest
from aiohttp import web
from litestar import Litestar
from standardwebhooks.webhooks import Webhook

from gateway.conftest import NewBody
from gateway.keys import add_key
from support.polling import eventually
from support.servers import PATIENCE, client_of, create_database, provision
from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import StatusEvent, StatusReport
from tidings.contracts.queues import STATUS_QUEUE, topology
from tidings.gateway.app import open_app
from tidings.gateway.settings import GatewaySettings
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Broker, Message
from tidings.kit.ids import now

SCOPES = ("notifications:write", "notifications:read", "callbacks:read", "callbacks:write")


@dataclass
class Hook:
    """One endpoint: what it got, and what it says. While it is `closed` it does not answer."""

    url: str
    got: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)
    usually: int = 200
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The bodies, in the order in which they came."""
        return [msgspec.json.decode(body) for body, _ in self.got]

    @property
    def types(self) -> list[str]:
        """What the bodies are about."""
        return [event["type"] for event in self.events]

    @property
    def ids(self) -> list[str]:
        """The `webhook-id` of each request."""
        return [headers["webhook-id"] for _, headers in self.got]

    def close(self) -> None:
        """Take requests and answer none, until `opened` is set."""
        self.opened.clear()

    def verified(self, secret: str) -> list[dict[str, Any]]:
        """The bodies, each checked by the reference library."""
        return [Webhook(secret).verify(body, headers) for body, headers in self.got]

    async def wait_for(self, count: int) -> None:
        """Return once it got so many requests."""
        await eventually(lambda: len(self.got) >= count)


@dataclass
class Hooks:
    """A server with any number of endpoints."""

    place: str = ""
    by_path: dict[str, Hook] = field(default_factory=dict)

    def new(self) -> Hook:
        """One more."""
        path = f"/{uuid4()}"
        hook = self.by_path[path] = Hook(f"http://{self.place}{path}")
        hook.opened.set()
        return hook

    async def answer(self, request: web.Request) -> web.Response:
        hook = self.by_path[request.path]
        hook.got.append(
            (await request.read(), {name.lower(): text for name, text in request.headers.items()})
        )
        await hook.opened.wait()
        return hook.answers.pop(0) if hook.answers else web.Response(status=hook.usually, text="answered")


@dataclass(frozen=True)
class Caller:
    """Somebody with an API key."""

    http: httpx.AsyncClient
    broker: Broker
    new_body: NewBody

    async def add(self, hook: Hook, **fields: object) -> dict[str, Any]:
        """Make it an endpoint; answers it with its secret."""
        answer = await self.http.post("/v1/callback-endpoints", json={"url": hook.url, **fields})
        assert answer.status_code == 201, answer.text
        added: dict[str, Any] = answer.json()
        return added

    async def read(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        """How it does now."""
        found: dict[str, Any] = (await self.http.get(f"/v1/callback-endpoints/{endpoint['id']}")).json()
        return found

    async def ask(self, endpoint: dict[str, Any], what: str, **body: object) -> dict[str, Any]:
        """POST to one of its paths."""
        path = f"/v1/callback-endpoints/{endpoint['id']}/{what}"
        answer = await self.http.post(path, json=body or None)
        assert answer.status_code == 200, answer.text
        answered: dict[str, Any] = answer.json()
        return answered

    async def deliveries(self, endpoint: dict[str, Any], **query: str) -> list[dict[str, Any]]:
        """What went to it, oldest first."""
        path = f"/v1/callback-endpoints/{endpoint['id']}/deliveries"
        page = (await self.http.get(path, params=query)).json()
        return list(reversed(page["deliveries"]))

    async def send(self, **changed: object) -> UUID:
        """A notification of theirs."""
        answer = await self.http.post("/v1/notifications", json=self.new_body(**changed))
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    async def report(self, *events: StatusEvent) -> None:
        """What workers say of notifications, in one report."""
        body = msgspec.json.encode(StatusReport(events=list(events)))
        await self.broker.publish(STATUS_QUEUE, [Message(str(uuid4()), body)])

    async def sent(self, count: int = 1) -> list[UUID]:
        """So many notifications that were sent."""
        ids = [await self.send() for _ in range(count)]
        await self.report(*(step(one, Status.SENT) for one in ids))
        return ids


@dataclass(frozen=True)
class Desk:
    """A gateway with a database and a broker of its own."""

    app: Litestar
    settings: GatewaySettings
    admin: asyncpg.Connection
    broker: Broker
    new_body: NewBody

    @asynccontextmanager
    async def caller(self, *scopes: str) -> AsyncIterator[Caller]:
        """Somebody new."""
        key = await add_key(self.admin, *(scopes or SCOPES))
        async with client_of(self.app, key) as http:
            yield Caller(http, self.broker, self.new_body)


OpenDesk = Callable[..., AbstractAsyncContextManager[Desk]]


def step(
    notification_id: UUID,
    status: Status,
    reason: Reason | None = None,
    *,
    attempt: int = 1,
    at: datetime | None = None,
) -> StatusEvent:
    """What a worker reports."""
    return StatusEvent(
        notification_id=notification_id,
        status=status,
        reason=reason,
        attempt=attempt,
        at=at or now(),
        provider="smtp",
    )


@pytest.fixture(scope="session")
async def hooks() -> AsyncIterator[Hooks]:
    """The server on a free port."""
    hooks = Hooks()
    app = web.Application()
    app.router.add_post("/{name}", hooks.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    hooks.place = f"{host}:{port}"
    yield hooks
    for hook in hooks.by_path.values():
        hook.opened.set()
    await runner.cleanup()


@pytest.fixture(scope="session")
def impatient(settings: GatewaySettings, hooks: Hooks) -> GatewaySettings:
    """Settings with short waits, and leave to post to the server of these tests."""
    return msgspec.structs.replace(
        settings,
        callback_hosts=(hooks.place,),
        callback_retry_delays=(0.1, 0.1, 0.1),
        callback_rest_seconds=0.1,
        callback_seconds=60,
    )


@pytest.fixture(scope="session")
def open_desk(impatient: GatewaySettings, postgres_admin_url: str, new_body: NewBody) -> OpenDesk:
    """Opens a gateway, with other settings where they are named."""

    @asynccontextmanager
    async def open_it(**changed: object) -> AsyncIterator[Desk]:
        database = await create_database(postgres_admin_url)
        settings = msgspec.structs.replace(
            impatient,
            database_url=await provision(database, "gateway"),
            broker_url=await provision(database, "broker"),
            **changed,
        )
        async with AsyncExitStack() as stack:
            app = await stack.enter_async_context(open_app(settings))
            broker = await stack.enter_async_context(
                open_broker(settings.broker_url, topology(), publish_limit=PATIENCE)
            )
            admin = await asyncpg.connect(database, server_settings={"search_path": "gateway"})
            stack.push_async_callback(admin.close)
            yield Desk(app, settings, admin, broker, new_body)

    return open_it


@pytest.fixture(scope="session")
async def desk(open_desk: OpenDesk) -> AsyncIterator[Desk]:
    """The gateway that these tests share."""
    async with open_desk() as desk:
        yield desk


@pytest.fixture
async def caller(desk: Desk) -> AsyncIterator[Caller]:
    """Somebody with a key of their own, so that no other test's events come in."""
    async with desk.caller() as caller:
        yield caller
