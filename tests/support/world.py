"""Everything around a service under test: a broker, a cache, and the real user and template services."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import httpx
from litestar import Litestar

from support.ports import free_port
from support.servers import PATIENCE, SERVICE_SECRET, FreshToken, ValkeyNode, create_database, provision
from support.serving import serving
from tidings.templates.app import open_app as open_templates
from tidings.templates.settings import TemplatesSettings
from tidings.users.app import open_app as open_users
from tidings.users.settings import UsersSettings

SignToken = Callable[..., str]

WELCOME = {
    "email": {"subject": "Welcome, {{ name }}", "text": "Hello {{ name }}", "html": "<p>{{ name }}</p>"},
    "push": {"title": "Welcome, {{ name }}", "body": "Open {{ link }}", "link": "{{ link }}"},
}

_addresses = count()


@dataclass(frozen=True)
class Neighbour:
    """A service that runs, with a client that may do everything."""

    app: Litestar
    url: str
    http: httpx.AsyncClient

    async def add(self, path: str, body: dict[str, Any]) -> str:
        """POST, and the id of what was made."""
        answer = await self.http.post(path, json=body)
        assert answer.status_code in {200, 201}, answer.text
        return str(answer.json()["id"])


@dataclass(frozen=True)
class World:
    """Where everything is. `database_url` is the superuser's."""

    database_url: str
    broker_url: str
    cache_url: str
    users: Neighbour
    templates: Neighbour

    async def add_user(self, **fields: object) -> str:
        """A person with the fields given; returns the id."""
        return await self.users.add("/users", {"name": "Ada", **fields})

    async def add_device(self, user_id: str, token: str) -> str:
        """Register an FCM token; returns the registration's id."""
        return await self.users.add(f"/users/{user_id}/tokens", {"provider": "fcm", "token": token})

    async def add_template(self, template_id: str, content: dict[str, Any]) -> str:
        """A template in English; returns the id."""
        return await self.templates.add("/templates", {"id": template_id, "content": {"en": content}})


@asynccontextmanager
async def open_world(admin_url: str, sign: SignToken) -> AsyncIterator[World]:
    """A world on a database and a cache of its own, with the template `welcome` (email and push) in it."""
    database = await create_database(admin_url)
    valkey = ValkeyNode()

    async def settings_of(service: str) -> dict[str, Any]:
        url = await provision(database, service)
        return {
            "port": 0,
            "service_secret": SERVICE_SECRET,
            "database_url": url,
            "database_seconds": PATIENCE,
            "cache_url": valkey.url,
        }

    try:
        async with (
            open_users(UsersSettings(**await settings_of("users"))) as users_app,
            open_templates(TemplatesSettings(**await settings_of("templates"))) as templates_app,
            neighbour(users_app, partial(sign, "users")) as users,
            neighbour(templates_app, partial(sign, "templates")) as templates,
        ):
            broker_url = await provision(database, "broker")
            world = World(database, broker_url, valkey.url, users, templates)
            await world.add_template("welcome", WELCOME)
            yield world
    finally:
        valkey.stop()


@asynccontextmanager
async def neighbour(app: Litestar, sign: Callable[[], str]) -> AsyncIterator[Neighbour]:
    """A service on a free port."""
    async with (
        serving(app, free_port()) as url,
        httpx.AsyncClient(base_url=url, auth=FreshToken(sign), timeout=PATIENCE) as http,
    ):
        yield Neighbour(app, url, http)


def fresh_address() -> str:
    """An email address that no other test uses."""
    return f"person{next(_addresses)}@example.com"
