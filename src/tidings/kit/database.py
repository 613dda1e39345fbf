"""PostgreSQL for one service: its pool, its schema, its migrations."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import structlog
from asyncpg.pool import PoolConnectionProxy

from tidings.kit.errors import Unavailable

USE_SECONDS = 1.0
"""A caller hears within this time that the database hangs, unless a service is told to be more patient."""
ACQUIRE_SHARE = 0.8
"""The part of that time in which there has to be a connection."""
CONNECT_SECONDS = 5.0
"""How long a service that starts waits for its first connection, unless it is more patient."""
CUT_STEPS = 4
_PASSING = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that ends in the middle of an answer
    asyncpg.OperatorInterventionError,  # it starts, or shuts down
    asyncpg.TransactionRollbackError,  # two in each other's way: this one may try again
    asyncpg.InsufficientResourcesError,  # a full disk, or no connection left
    asyncpg.ReadOnlySQLTransactionError,  # it is a standby now
)
"""What is no fault of a statement: a later try may succeed."""

Connection = PoolConnectionProxy

log = structlog.get_logger(__name__)


class Database:
    """A pool of connections. A lost server is a 503 to the caller, never an endless wait."""

    def __init__(self, pool: asyncpg.Pool, *, patience: float = USE_SECONDS) -> None:
        self._pool = pool
        self._patience = patience

    @asynccontextmanager
    async def connection(self, *, limit: float = USE_SECONDS) -> AsyncIterator[Connection]:
        """One connection for at most `limit` seconds, or `patience` if longer; statements commit one by one.

        Raises:
            Unavailable: PostgreSQL cannot be reached, hangs or cannot do it now (a deadlock, a full disk), or
                every connection stays busy for four fifths of the patience.
        """
        cut = _Cut(max(limit, self._patience))
        try:
            async with self._pool.acquire(timeout=self._patience * ACQUIRE_SHARE) as connection:
                cut.start(connection)
                try:
                    yield connection
                finally:
                    cut.cancel()
        except (*_PASSING, TimeoutError, AttributeError) as error:
            if isinstance(error, AttributeError) and not cut.made:
                raise
            log.warning("database_unavailable", error=repr(error))
            raise Unavailable(
                "The database does not answer; try the same request again", code="database_unavailable"
            ) from error

    @asynccontextmanager
    async def transaction(self, *, limit: float = USE_SECONDS) -> AsyncIterator[Connection]:
        """One connection as above, in one transaction: all is committed, or nothing.

        Raises:
            Unavailable: as for `connection`. Lost during the commit, it may have happened all the same.
        """
        async with self.connection(limit=limit) as connection, connection.transaction():
            yield connection

    async def ping(self) -> None:
        """Raise unless PostgreSQL answers."""
        async with self.connection() as connection:
            await connection.fetchval("select 1")


class _Cut:
    """Ends a connection after so many seconds: a server that hangs would not answer a cancellation either.

    The time passes in steps. One in which our own process was busy, however long, counts once, so that an
    answer which came meanwhile is read. A cut between two steps of a statement ends in an `AttributeError`
    of asyncpg's.
    """

    def __init__(self, seconds: float) -> None:
        self._step = seconds / CUT_STEPS
        self._left = CUT_STEPS
        self._next: asyncio.TimerHandle | None = None
        self.made = False

    def start(self, connection: Connection) -> None:
        self._next = asyncio.get_running_loop().call_later(self._step, self._pass, connection)

    def cancel(self) -> None:
        if self._next is not None:
            self._next.cancel()

    def _pass(self, connection: Connection) -> None:
        self._left -= 1
        if self._left:
            self.start(connection)
        else:
            self.made = True
            connection.terminate()


@asynccontextmanager
async def open_database(
    url: str, *, schema: str, package: str, pool_size: int = 10, patience: float = USE_SECONDS
) -> AsyncIterator[Database]:
    """Bring the service's `schema` up to date with its migrations and open a pool on it.

    `package` holds `migrations/versions/NNNN_*.py`. Connections are made when first needed. `patience` is how
    many seconds a use of it may last at least before it is given up.
    """
    await migrate(url, schema=schema, package=package, patience=patience)
    pool = await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=pool_size,
        timeout=patience * ACQUIRE_SHARE,
        server_settings={"search_path": schema, "application_name": f"tidings-{schema}"},
        init=_prepare,
        reset=_leave_as_it_is,
    )
    try:
        yield Database(pool, patience=patience)
    finally:
        try:
            async with asyncio.timeout(5):
                await pool.close()
        except TimeoutError:
            pool.terminate()


async def _leave_as_it_is(_connection: asyncpg.Connection) -> None:
    """Between two uses a session is not reset, which would cost each a round trip.

    So what a statement sets or locks has to end with its transaction. One left open is rolled back.
    """


async def _prepare(connection: asyncpg.Connection) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=_encode, decoder=msgspec.json.decode, format="text"
        )


def _encode(value: Any) -> str:  # noqa: ANN401 - JSON takes many types
    return msgspec.json.encode(value).decode()


async def migrate(url: str, *, schema: str, package: str, patience: float = USE_SECONDS) -> None:
    """Run the migrations the schema still lacks; many processes may call this at once."""
    folder = Path(str(files(package))) / "migrations"
    newest = max(path.name.split("_")[0] for path in (folder / "versions").glob("[0-9]*.py"))
    connection = await asyncpg.connect(url, timeout=max(CONNECT_SECONDS, patience))
    try:
        async with connection.transaction():
            # One process migrates; the others wait here and find the work done.
            await connection.execute(
                "select pg_advisory_xact_lock(hashtext($1))", f"tidings-migrate-{schema}"
            )
            if await _revision(connection, schema) != newest:
                await asyncio.to_thread(_upgrade, url, schema, folder)
                log.info("migrated", schema=schema, revision=newest)
    finally:
        await connection.close()


async def _revision(connection: asyncpg.Connection, schema: str) -> str | None:
    if await connection.fetchval("select to_regclass($1)", f"{schema}.alembic_version") is None:
        return None
    found = await connection.fetchval(f'select version_num from "{schema}".alembic_version')  # noqa: S608 - our own schema name
    return None if found is None else str(found)


def _upgrade(url: str, schema: str, folder: Path) -> None:
    # Alembic and SQLAlchemy cost 50 MB and a second, so they are loaded only when there is work.
    from tidings.kit.migrations import upgrade  # noqa: PLC0415 - see above

    upgrade(url, schema=schema, folder=folder)
