"""A database of its own for each test, on the tables of which nobody else works."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import httpx
import pytest

from gateway.conftest import OpenGateway
from gateway.data_life.stored import Stored, storing
from support.servers import create_database, provision
from tidings.kit.database import migrate

Opened = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
async def database_url(postgres_admin_url: str) -> str:
    """The superuser's URL of a database with the gateway's tables, empty."""
    url = await create_database(postgres_admin_url)
    await migrate(await provision(url, "gateway"), schema="gateway", package="tidings.gateway")
    return url


@pytest.fixture
async def broker_url(database_url: str) -> str:
    """A broker that nobody else uses."""
    return await provision(database_url, "broker")


@pytest.fixture
async def opened(open_gateway: OpenGateway, database_url: str, broker_url: str) -> Opened:
    """Opens a gateway on that database, with other settings where they are named."""
    return partial(
        open_gateway,
        database_url=await provision(database_url, "gateway"),
        broker_url=broker_url,
        erasure_seconds=60,
    )


@pytest.fixture
async def stored(database_url: str) -> AsyncIterator[Stored]:
    """What is in its tables."""
    async with storing(database_url) as stored:
        yield stored
