"""A gateway with a real email service behind it, and the simulator as the outside world."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest

from delivery.situations import add_templates
from gateway.conftest import NewBody, OpenGateway
from simulator.running import Simulator, running, settings_in
from support.polling import eventually
from support.ports import free_port
from support.servers import ASKED_AGAIN, PATIENCE, SERVICE_SECRET, ValkeyNode, provision
from support.serving import serving
from support.world import World, fresh_address
from tidings.delivery.worker import channel_app, consuming, open_works
from tidings.email.app import channel_maker, open_files
from tidings.email.settings import EmailSettings

ON_THE_WAY = {"accepted", "queued"}


@dataclass(frozen=True)
class Engines:
    """Engines that nobody else uses, so that nothing is on its way but what a module's tests sent."""

    admin_url: str
    database_url: str
    broker_url: str
    cache_url: str


@dataclass(frozen=True)
class EmailService:
    """Where the email service answers, and what it sends to."""

    url: str
    simulator: Simulator


@pytest.fixture(scope="session")
async def written_world(world: World) -> World:
    """The world, with the templates of the situations in it."""
    await add_templates(world)
    return world


@pytest.fixture(scope="module")
async def engines(module_database: str) -> AsyncIterator[Engines]:
    """A database, a broker in it, and a cache."""
    valkey = ValkeyNode()
    database_url = await provision(module_database, "gateway")
    yield Engines(module_database, database_url, await provision(module_database, "broker"), valkey.url)
    valkey.stop()


@pytest.fixture(scope="module")
def open_gateway(open_gateway: OpenGateway, engines: Engines) -> OpenGateway:
    """Opens a gateway on these engines, with other settings where they are named."""
    return partial(open_gateway, database_url=engines.database_url, broker_url=engines.broker_url)


@pytest.fixture(scope="module")
async def admin(engines: Engines) -> AsyncIterator[asyncpg.Connection]:
    """A superuser in the gateway's schema."""
    connection = await asyncpg.connect(engines.admin_url, server_settings={"search_path": "gateway"})
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def email_service(
    written_world: World, engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[EmailService]:
    """The email service, which delivers what the gateways of the module accept."""
    world = written_world
    async with AsyncExitStack() as stack:
        folder = tmp_path_factory.mktemp("simulator")
        simulator = await stack.enter_async_context(running(settings_in(folder)))
        settings = EmailSettings(
            port=free_port(),
            service_secret=SERVICE_SECRET,
            broker_url=engines.broker_url,
            cache_url=engines.cache_url,
            users_url=world.users.url,
            templates_url=world.templates.url,
            retry_delays=(0.2,),
            look_up_seconds=ASKED_AGAIN,
            sender="Tidings <hello@mail.example.com>",
            smtp_host="127.0.0.1",
            smtp_port=simulator.smtp_port,
            smtp_tls="none",
        )
        providers = settings.providers()
        outbound = await stack.enter_async_context(open_files(settings, providers))
        make = channel_maker(settings, providers, outbound)
        works = await stack.enter_async_context(open_works("email", settings, providers, make))
        await stack.enter_async_context(consuming(works, settings))
        url = await stack.enter_async_context(serving(channel_app(works, settings), settings.port))
        yield EmailService(url, simulator)


@pytest.fixture(scope="module")
async def caller(
    open_gateway: OpenGateway, email_service: EmailService, engines: Engines
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the gateway that knows the email service, and counts limits."""
    known = {"email_url": email_service.url, "cache_url": engines.cache_url, "limit_patience": PATIENCE}
    async with open_gateway(**known) as client:
        yield client


@pytest.fixture
async def outside(email_service: EmailService) -> AsyncIterator[Simulator]:
    """The simulator, well-behaved before and after."""
    (await email_service.simulator.http.delete("/api/faults")).raise_for_status()
    yield email_service.simulator
    (await email_service.simulator.http.delete("/api/faults")).raise_for_status()


@pytest.fixture
def address() -> str:
    """An address that no other test uses."""
    return fresh_address()


@pytest.fixture
async def body(world: World, new_body: NewBody, address: str) -> dict[str, Any]:
    """A request for a person of this test alone."""
    return new_body(user_id=await world.add_user(email=address))


Followed = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="session")
def explained() -> Followed:
    """What `explain` says of a notification, once `enough` holds: else, once a worker has decided."""

    async def read(
        client: httpx.AsyncClient,
        notification_id: str,
        enough: Callable[[dict[str, Any]], bool] = lambda said: said["status"] not in ON_THE_WAY,
    ) -> dict[str, Any]:
        said: dict[str, Any] = {}

        async def holds() -> bool:
            answer = await client.get(f"/v1/notifications/{notification_id}/explain")
            assert answer.status_code == 200, answer.text
            said.update(answer.json())
            return enough(said)

        await eventually(holds)
        return said

    return read
