"""How long the audit log is kept: the code is that of every service, here in the user service."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from support.audit import add_old_entries, entries
from support.polling import eventually
from support.servers import client_of, create_database, provision
from tidings.kit.audit.keeping import BATCH
from tidings.kit.ids import now
from tidings.users.app import open_app
from tidings.users.settings import UsersSettings

Opened = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
async def database_url(postgres_admin_url: str) -> str:
    """A database for one test."""
    return await create_database(postgres_admin_url)


@pytest.fixture
async def opened(
    users_settings: UsersSettings, database_url: str, service_token: Callable[..., str]
) -> Opened:
    """Opens the service on that database, to keep its log for so many days."""
    own = msgspec.structs.replace(users_settings, database_url=await provision(database_url, "users"))

    @asynccontextmanager
    async def open_it(days: int = 0) -> AsyncIterator[httpx.AsyncClient]:
        settings = msgspec.structs.replace(own, audit_retention_days=days)
        async with open_app(settings) as app, client_of(app, partial(service_token, "users")) as client:
            yield client

    return open_it


async def subjects(client: httpx.AsyncClient) -> list[str]:
    """What is left of the entries that were put there."""
    return [entry["subject"] for entry in await entries(client, actor="old", limit="200")]


async def drops(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    return await entries(client, action="audit_entries.dropped")


async def is_clear(client: httpx.AsyncClient) -> bool:
    return await subjects(client) == []


async def test_what_is_too_old_goes(opened: Opened, database_url: str) -> None:
    """Older entries are dropped, and an entry says how many and of which time; the others stay."""
    async with opened() as client:
        await client.post("/users", json={})
    await add_old_entries(database_url, "users", days=40, count=3)
    start = now().isoformat()
    async with opened(days=30) as client:
        await eventually(lambda: is_clear(client))
        [entry] = await drops(client)
        assert len(await entries(client, action="user.created")) == 1
    assert (entry["actor"], entry["subject"]) == ("tidings", "audit_log")
    assert entry["detail"]["entries"] == 3
    assert entry["detail"]["first"] == entry["detail"]["last"] < start < entry["at"]


async def test_for_ever_unless_told(opened: Opened, database_url: str) -> None:
    """Without the setting nothing goes, however old, and days that are not over keep theirs."""
    async with opened():
        pass
    await add_old_entries(database_url, "users", days=10_000)
    async with opened() as client:
        assert await subjects(client) == ["1"]
    await add_old_entries(database_url, "users", days=29)
    async with opened(days=30) as client:
        await eventually(lambda: _one_drop(client))
        assert await subjects(client) == ["1"]


async def _one_drop(client: httpx.AsyncClient) -> bool:
    return len(await drops(client)) == 1


async def test_many_go_once_though_two_drop_them(opened: Opened, database_url: str) -> None:
    """In batches, each with its entry, which together tell of each entry once."""
    async with opened():
        pass
    await add_old_entries(database_url, "users", days=40, count=2 * BATCH + 1)
    async with AsyncExitStack() as stack:
        client, _ = await asyncio.gather(*(stack.enter_async_context(opened(days=30)) for _ in range(2)))
        await eventually(lambda: is_clear(client))
        assert sum(entry["detail"]["entries"] for entry in await drops(client)) == 2 * BATCH + 1


async def test_writers_go_first(opened: Opened, database_url: str) -> None:
    """While a transaction is at work on the log nothing is dropped, and others write; afterwards it is."""
    async with opened():
        pass
    await add_old_entries(database_url, "users", days=40)
    writer = await asyncpg.connect(database_url, server_settings={"search_path": "users"})
    try:
        async with writer.transaction():
            await writer.execute("lock table audit_log in row exclusive mode")
            async with opened(days=30) as client:
                assert (await client.post("/users", json={})).status_code == 201
                assert await subjects(client) == ["1"]
        async with opened(days=30) as client:
            await eventually(lambda: is_clear(client))
    finally:
        await writer.close()


async def test_the_guard_is_on_again(opened: Opened, database_url: str) -> None:
    """Once entries were dropped, PostgreSQL still refuses to delete any, to superusers too."""
    async with opened():
        pass
    await add_old_entries(database_url, "users", days=40)
    async with opened(days=30) as client:
        await eventually(lambda: is_clear(client))
    connection = await asyncpg.connect(database_url, server_settings={"search_path": "users"})
    try:
        with pytest.raises(asyncpg.RaiseError, match="append only"):
            await connection.execute("delete from audit_log")
    finally:
        await connection.close()
