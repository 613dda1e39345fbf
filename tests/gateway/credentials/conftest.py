"""Keys and tokens made through the API, as an operator makes them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from gateway.conftest import OpenGateway
from support.servers import create_database, provision

Made = dict[str, Any]
NewKey = Callable[..., Awaitable[Made]]
NewToken = Callable[..., Awaitable[str]]


@pytest.fixture(scope="session")
def new_key(gateway: httpx.AsyncClient) -> NewKey:
    """Makes a key; without more it may read and manage keys."""

    async def make(*scopes: str, **fields: object) -> Made:
        body = {"name": "shop", "scopes": scopes or ("api-keys:read", "api-keys:write"), **fields}
        answer = await gateway.post("/v1/api-keys", json={k: v for k, v in body.items() if v is not None})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    return make


@pytest.fixture(scope="session")
def new_token(gateway: httpx.AsyncClient) -> NewToken:
    """Exchanges a key for a token; the body is as named."""

    async def make(key: str, **body: object) -> str:
        answer = await gateway.post("/v1/tokens", json=body, headers=bearer(key))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    return make


@pytest.fixture
async def fresh_url(postgres_admin_url: str) -> str:
    """A database where nobody has been before."""
    return await provision(await create_database(postgres_admin_url), "gateway")


@pytest.fixture
async def fresh(open_gateway: OpenGateway, fresh_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway of its own, with the first live and the first test key."""
    async with open_gateway(database_url=fresh_url) as client:
        yield client


def bearer(credential: str) -> dict[str, str]:
    """The header that shows a credential."""
    return {"Authorization": f"Bearer {credential}"}


def told(answer: httpx.Response) -> tuple[int, str]:
    """A refusal's status and code."""
    return answer.status_code, str(answer.json()["code"])
