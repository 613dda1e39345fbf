"""PostgreSQL goes away and comes back under a service."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from support.polling import eventually
from support.postgres import PostgresNode
from support.servers import PATIENCE, provision
from tidings.kit.database import Database, open_database
from tidings.kit.errors import Unavailable

Outage = Callable[[PostgresNode], None]


@pytest.fixture(scope="module")
def node() -> Iterator[PostgresNode]:
    node = PostgresNode()
    try:
        node.start()
        yield node
    finally:
        node.remove()


@pytest.fixture(scope="module")
async def url(node: PostgresNode) -> str:
    return await provision(node.admin_dsn, "bookshop")


@pytest.fixture(scope="module")
async def database(url: str) -> AsyncIterator[Database]:
    async with open_database(url, schema="bookshop", package="kit.bookshop", patience=PATIENCE) as database:
        yield database


@pytest.fixture
async def hasty(url: str) -> AsyncIterator[Database]:
    """As services have it unless they are told otherwise."""
    async with open_database(url, schema="bookshop", package="kit.bookshop") as database:
        yield database


async def answers(database: Database) -> bool:
    try:
        await database.ping()
    except Unavailable:
        return False
    return True


async def use(database: Database, *, limit: float) -> None:
    async with database.connection(limit=limit) as connection:
        await connection.execute("select 1")


async def sleep_in_the_database(database: Database) -> None:
    async with database.connection(limit=60) as connection:
        await connection.execute("select pg_sleep(60)")


async def test_a_connection_ended_by_an_administrator_is_unavailable(database: Database) -> None:
    """A statement whose connection is terminated, as in a failover, may be tried again."""
    in_flight = asyncio.create_task(sleep_in_the_database(database))
    await eventually(lambda: sleeping(database))
    async with database.connection() as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where query like 'select pg_sleep%'"
        )
    async with asyncio.timeout(30):
        with pytest.raises(Unavailable):
            await in_flight


@pytest.mark.parametrize("end", [PostgresNode.stop, PostgresNode.kill])
async def test_a_server_that_is_gone_is_unavailable_until_it_is_back(
    node: PostgresNode, database: Database, end: Outage
) -> None:
    """Statements in flight and new ones fail as `Unavailable`; after a restart the same pool works."""
    in_flight = asyncio.create_task(sleep_in_the_database(database))
    await eventually(lambda: sleeping(database))
    await asyncio.to_thread(end, node)
    try:
        async with asyncio.timeout(30):
            with pytest.raises(Unavailable) as caught:
                await in_flight
            assert caught.value.headers == {"Retry-After": "1"}
            for _ in range(3):
                with pytest.raises(Unavailable):
                    await database.ping()
    finally:
        await asyncio.to_thread(node.start)
    await eventually(lambda: answers(database))


async def test_a_server_that_hangs_is_unavailable_until_it_goes_on(
    node: PostgresNode, hasty: Database
) -> None:
    """A server that keeps its connections but does not answer is given up on, and used again later."""
    await eventually(lambda: answers(hasty))
    node.pause()
    try:
        async with asyncio.timeout(30):
            with pytest.raises(Unavailable):
                await use(hasty, limit=0.5)
    finally:
        node.resume()
    await eventually(lambda: answers(hasty))


async def sleeping(database: Database) -> bool:
    async with database.connection() as connection:
        found = await connection.fetchval(
            "select count(*) from pg_stat_activity where query like 'select pg_sleep%'"
        )
    return bool(found)
