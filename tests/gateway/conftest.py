"""The gateway among the real user and template services, spoken to over HTTP."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from support.servers import PATIENCE, SERVICE_SECRET, client_of, provision
from support.world import World, fresh_address, open_world
from tidings.gateway.app import open_app
from tidings.gateway.settings import GatewaySettings

API_KEY = "tdg_live_" + "k" * 32
TEST_API_KEY = "tdg_test_" + "k" * 32

OpenGateway = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
NewBody = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
async def world(postgres_admin_url: str, service_token: Callable[..., str]) -> AsyncIterator[World]:
    """Broker, cache, users and templates, shared by the suite."""
    async with open_world(postgres_admin_url, service_token) as world:
        yield world


@pytest.fixture(scope="session")
async def settings(world: World) -> GatewaySettings:
    """What the environment would say."""
    return GatewaySettings(
        port=0,
        service_secret=SERVICE_SECRET,
        database_url=await provision(world.database_url, "gateway"),
        broker_url=world.broker_url,
        users_url=world.users.url,
        templates_url=world.templates.url,
        bootstrap_api_key=API_KEY,
        bootstrap_test_api_key=TEST_API_KEY,
        database_seconds=PATIENCE,
        look_up_seconds=PATIENCE,
    )


@pytest.fixture(scope="session")
def open_gateway(settings: GatewaySettings) -> OpenGateway:
    """Opens one more gateway, with other settings where they are named; gives a client with the API key."""

    @asynccontextmanager
    async def open_it(**changed: object) -> AsyncIterator[httpx.AsyncClient]:
        async with (
            open_app(msgspec.structs.replace(settings, **changed)) as app,
            client_of(app, API_KEY) as client,
        ):
            yield client

    return open_it


@pytest.fixture(scope="session")
async def gateway(open_gateway: OpenGateway) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway that the suite shares."""
    async with open_gateway() as client:
        yield client


@pytest.fixture(scope="session")
async def trying(open_gateway: OpenGateway) -> AsyncIterator[httpx.AsyncClient]:
    """Another gateway, asked with the test key."""
    async with open_gateway() as client:
        client.headers["Authorization"] = f"Bearer {TEST_API_KEY}"
        yield client


@pytest.fixture(scope="session")
async def user_id(world: World) -> str:
    """A person with an address."""
    return await world.add_user(email=fresh_address())


@pytest.fixture(scope="session")
def new_body(user_id: str) -> NewBody:
    """Makes the body of a valid request with a fresh `request_id`, changed as named; None leaves out."""
    numbers = count()

    def make(**changed: object) -> dict[str, Any]:
        body = {
            "request_id": f"request-{next(numbers)}",
            "channel": "email",
            "user_id": user_id,
            "template_id": "welcome",
            "variables": {"name": "Ada"},
            **changed,
        }
        return {name: value for name, value in body.items() if value is not None}

    return make


@pytest.fixture(scope="session")
async def admin(world: World) -> AsyncIterator[asyncpg.Connection]:
    """A superuser in the gateway's schema."""
    connection = await asyncpg.connect(world.database_url, server_settings={"search_path": "gateway"})
    yield connection
    await connection.close()
