"""One service's database: its statements, its migrations, its walls."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from support.polling import eventually
from support.servers import PATIENCE
from tidings.kit.database import Database, migrate, open_database
from tidings.kit.errors import Unavailable

ServiceDatabase = Callable[[str], Awaitable[str]]


@pytest.fixture(scope="module")
async def url(service_database: ServiceDatabase) -> str:
    return await service_database("bookshop")


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with open_database(
        url, schema="bookshop", package="kit.bookshop", pool_size=2, patience=PATIENCE
    ) as database:
        yield database
        async with database.connection() as connection:
            await connection.execute("delete from books where id > 2")


@pytest.fixture
async def hasty(url: str) -> AsyncIterator[Database]:
    """As services have it unless they are told otherwise, with one connection, which is there already."""
    async with open_database(url, schema="bookshop", package="kit.bookshop", pool_size=1) as database:
        await eventually(lambda: answers(database))
        yield database


async def answers(database: Database) -> bool:
    try:
        await database.ping()
    except Unavailable:
        return False
    return True


async def ids(database: Database) -> list[int]:
    async with database.connection() as connection:
        return [row["id"] for row in await connection.fetch("select id from books order by id")]


async def insert_in_one_transaction(database: Database, new_ids: list[int]) -> None:
    async with database.transaction() as connection:
        for new_id in new_ids:
            await connection.execute("insert into books (id) values ($1)", new_id)


async def test_processes_that_start_together_migrate_once(url: str) -> None:
    """Every process may migrate as it starts; one does, the others wait and find it done."""
    await asyncio.gather(
        *(migrate(url, schema="bookshop", package="kit.bookshop", patience=PATIENCE) for _ in range(5))
    )
    connection = await asyncpg.connect(url)
    try:
        assert await connection.fetchval("select version_num from bookshop.alembic_version") == "0002"
        assert await connection.fetchval("select count(*) from bookshop.books") == 2
    finally:
        await connection.close()


async def test_a_schema_that_is_up_to_date_is_left_alone(database: Database, url: str) -> None:
    """A start after the first changes nothing."""
    await migrate(url, schema="bookshop", package="kit.bookshop", patience=PATIENCE)
    assert await ids(database) == [1, 2]


async def test_json_columns_hold_values(database: Database) -> None:
    """What goes into a JSON column comes out as it was, without any parsing by the service."""
    about = {"title": "Ünïcode \U0001f600", "pages": [1, 2.5, None], "deep": {"a": {"b": True}}}
    async with database.connection() as connection:
        await connection.execute("insert into books (id, about) values ($1, $2)", 3, about)
        assert await connection.fetchval("select about from books where id = 3") == about


async def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    """An error rolls back everything in the transaction, and reaches the caller as it is."""
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert_in_one_transaction(database, [3, 4, 3])
    assert await ids(database) == [1, 2]


async def test_what_a_use_leaves_open_is_undone(database: Database) -> None:
    """The next use of a connection finds no open transaction, no lock and no setting of the one before."""
    async with database.connection() as connection:
        await connection.execute("begin")
        await connection.execute("set local statement_timeout = 12345")
        await connection.execute("select pg_advisory_xact_lock(7)")
        await connection.execute("insert into books (id) values (3)")
        left_by = await connection.fetchval("select pg_backend_pid()")
    async with database.connection() as connection:
        assert await connection.fetchval("select pg_backend_pid()") == left_by
        assert await connection.fetchval("show statement_timeout") == "0"
        held = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
        assert await connection.fetchval(held) == 0
    assert await ids(database) == [1, 2]


async def test_a_value_that_does_not_fit_is_not_an_outage(database: Database) -> None:
    """A statement that PostgreSQL refuses is an error of ours, which a later try would not mend."""
    async with database.connection() as connection:
        with pytest.raises(asyncpg.DataError):
            await connection.execute("insert into books (id) values ($1)", "three")


async def test_a_pool_that_stays_busy_is_unavailable(hasty: Database) -> None:
    """Who gets no connection within the limit is told to come back, not left waiting."""
    async with hasty.connection(limit=60), asyncio.timeout(30):
        with pytest.raises(Unavailable):
            await hasty.ping()
    await eventually(lambda: answers(hasty))


@pytest.mark.parametrize(
    "code",
    ["40P01", "40001", "53100", "53300", "57P01", "25006"],
    ids=["deadlock", "serialization", "disk-full", "connections", "shutdown", "standby"],
)
async def test_what_passes_by_itself_is_unavailable(database: Database, code: str) -> None:
    """A deadlock, a full disk or a server that is a standby now is no error of the statement: try again."""
    async with asyncio.timeout(30):
        with pytest.raises(Unavailable):
            await raise_in_postgres(database, code)
    await database.ping()


async def raise_in_postgres(database: Database, code: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(f"do $$ begin raise exception using errcode = '{code}'; end $$")


async def test_a_deadlock_may_be_tried_again(database: Database) -> None:
    """Of two transactions that wait for each other one goes on, and the other is told to come back."""
    both_began = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with database.transaction(limit=20) as connection:
            await connection.execute("select from books where id = $1 for update", first)
            await both_began.wait()
            await connection.execute("select from books where id = $1 for update", second)

    ends = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    assert [type(end) for end in ends if end is not None] == [Unavailable]


async def test_a_busy_process_is_no_outage(hasty: Database) -> None:
    """Time in which this process itself is held up does not count as time that the database takes."""
    async with hasty.connection(limit=1.2) as connection:
        statement = asyncio.create_task(connection.fetchval("select 1"))
        await asyncio.sleep(0)  # until it is on its way
        time.sleep(3.2)  # noqa: ASYNC251 - what holds up the process, long enough for the answer to be there
        assert await statement == 1
        assert not connection.is_closed()


async def test_a_role_sees_only_its_own_schema(url: str, service_database: ServiceDatabase) -> None:
    """A query into a neighbour's table is refused by PostgreSQL, and so is changing it."""
    await migrate(url, schema="bookshop", package="kit.bookshop", patience=PATIENCE)
    neighbour = await asyncpg.connect(await service_database("neighbour"))
    try:
        for statement in ("select * from bookshop.books", "drop table bookshop.books"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await neighbour.execute(statement)
    finally:
        await neighbour.close()
