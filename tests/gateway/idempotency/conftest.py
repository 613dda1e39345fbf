"""Writes with a key, as a caller sends them."""

from collections.abc import Callable, Coroutine
from typing import Any
from uuid import uuid4

import httpx
import pytest

Write = Callable[..., Coroutine[Any, Any, httpx.Response]]
KEYS = "/v1/api-keys"
SHOP: dict[str, Any] = {"name": "shop", "scopes": ["notifications:read"]}


@pytest.fixture
def new_key() -> str:
    """An idempotency key that nobody used."""
    return str(uuid4())


@pytest.fixture(scope="session")
def write(gateway: httpx.AsyncClient) -> Write:
    """Sends a request with an idempotency key: without more it makes an API key."""

    async def send(
        key: str,
        path: str = KEYS,
        *,
        json: object = SHOP,
        method: str = "POST",
        through: httpx.AsyncClient = gateway,
        **options: str,
    ) -> httpx.Response:
        return await through.request(method, path, json=json, headers={"Idempotency-Key": key, **options})

    return send


def told(answer: httpx.Response) -> tuple[int, str]:
    """A refusal's status and code."""
    return answer.status_code, str(answer.json()["code"])


def is_replay(answer: httpx.Response) -> bool:
    """Whether it was answered from an earlier request."""
    return bool(answer.headers.get("Idempotent-Replayed") == "true")
