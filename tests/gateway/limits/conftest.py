"""Gateways that limit, and callers whose limits no other test uses up."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest

from gateway.conftest import OpenGateway
from gateway.keys import add_key
from support.servers import PATIENCE
from support.world import World

OpenCaller = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture(scope="session")
def open_caller(open_gateway: OpenGateway, admin: asyncpg.Connection, world: World) -> OpenCaller:
    """Opens a gateway that limits as named; gives a client with a key of its own, or with `key`."""

    @asynccontextmanager
    async def open_it(key: str | None = None, **changed: Any) -> AsyncIterator[httpx.AsyncClient]:  # noqa: ANN401 - settings of any type
        limiting = {"cache_url": world.cache_url, "limit_patience": PATIENCE, **changed}
        async with open_gateway(**limiting) as gateway:
            gateway.headers["Authorization"] = f"Bearer {key or await add_key(admin, '*')}"
            yield gateway

    return open_it


@pytest.fixture(scope="session")
def left() -> Callable[[httpx.AsyncClient, str], Awaitable[int]]:
    """What a caller has left of a limit, as `GET /v1/limits` says."""

    async def read(caller: httpx.AsyncClient, name: str) -> int:
        answer = await caller.get("/v1/limits")
        return next(int(one["remaining"]) for one in answer.json()["limits"] if one["name"] == name)

    return read
