"""The user service as it is deployed, on real servers, spoken to over HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import httpx
import pytest

from support.servers import PATIENCE, SERVICE_SECRET, client_of
from tidings.users.app import open_app
from tidings.users.settings import UsersSettings

ServiceDatabase = Callable[[str], Awaitable[str]]
AddUser = Callable[..., Awaitable[str]]
MAX_DEVICES = 20


@pytest.fixture(scope="module")
async def users_settings(service_database: ServiceDatabase, valkey_url: str) -> UsersSettings:
    """What the environment would say."""
    return UsersSettings(
        port=0,
        service_secret=SERVICE_SECRET,
        database_url=await service_database("users"),
        cache_url=valkey_url,
        database_seconds=PATIENCE,
        max_devices=MAX_DEVICES,
    )


@pytest.fixture(scope="module")
async def users(
    users_settings: UsersSettings, service_token: Callable[..., str]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running service that may do everything."""
    async with open_app(users_settings) as app, client_of(app, partial(service_token, "users")) as client:
        yield client


@pytest.fixture(scope="module")
def add_user(users: httpx.AsyncClient) -> AddUser:
    """What stores a person with the fields given and returns the id."""

    async def add(**fields: object) -> str:
        answer = await users.post("/users", json={"email": "ada@example.com", **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    return add
