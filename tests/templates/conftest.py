"""The template service as it is deployed, on real servers, spoken to over HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from itertools import count
from typing import Any

import httpx
import pytest

from support.servers import PATIENCE, SERVICE_SECRET, client_of
from tidings.templates.app import open_app
from tidings.templates.settings import TemplatesSettings

ServiceDatabase = Callable[[str], Awaitable[str]]


@pytest.fixture(scope="module")
async def templates_settings(service_database: ServiceDatabase, valkey_url: str) -> TemplatesSettings:
    """What the environment would say."""
    return TemplatesSettings(
        port=0,
        service_secret=SERVICE_SECRET,
        database_url=await service_database("templates"),
        cache_url=valkey_url,
        database_seconds=PATIENCE,
    )


@pytest.fixture(scope="module")
async def templates(
    templates_settings: TemplatesSettings, service_token: Callable[..., str]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running service that may do everything."""
    async with (
        open_app(templates_settings) as app,
        client_of(app, partial(service_token, "templates")) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def fresh_id() -> Callable[[], str]:
    """What returns an id that no template has yet, in any module: they share the Valkey."""
    numbers = count()
    return lambda: f"template-{next(numbers)}"


@pytest.fixture(scope="session")
def email() -> Callable[..., dict[str, Any]]:
    """`email("Hello {{ name }}")`: the body of a template that is an English email."""

    def make(subject: str = "Hello", **fields: str) -> dict[str, Any]:
        return {"content": {"en": {"email": {"subject": subject, "text": "Text", **fields}}}}

    return make


@pytest.fixture
async def template_id(
    templates: httpx.AsyncClient, fresh_id: Callable[[], str], email: Callable[..., dict[str, Any]]
) -> str:
    """A template with one version whose subject is `v1`."""
    answer = await templates.post("/templates", json={"id": fresh_id(), **email("v1")})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
