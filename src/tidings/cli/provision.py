"""One role and one schema per service, so that a query into a neighbour's table fails."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import asyncpg

from tidings.cli.environment import role_name
from tidings.cli.errors import CannotContinue
from tidings.cli.forking.messages import Preparation
from tidings.kit.database import migrate

CONNECT_SECONDS = 5.0


async def prepare(preparation: Preparation) -> None:
    """Create what is missing and bring every schema up to date.

    The migrations run here, in one process that ends, because their tool costs each service 50 MB.

    Raises:
        CannotContinue: the server cannot be reached, or its user may not do this.
    """
    url = preparation.database_url
    if preparation.server_url:
        await _create_database(preparation.server_url, urlsplit(url).path.lstrip("/"))
    await _provision(url, preparation.passwords)
    for service, service_url in preparation.migrated.items():
        await migrate(service_url, schema=service, package=f"tidings.{service}")


async def _create_database(server_url: str, name: str) -> None:
    connection = await _connect(server_url)
    try:
        if not await connection.fetchval("select 1 from pg_database where datname = $1", name):
            await connection.execute(f'create database "{name}"')
    finally:
        await connection.close()


async def _provision(url: str, passwords: Mapping[str, str]) -> None:
    connection = await _connect(url)
    try:
        async with connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(hashtext('tidings-provision'))")
            for owner, password in passwords.items():
                await _own_schema(connection, owner, password)
    except asyncpg.InsufficientPrivilegeError as error:
        raise CannotContinue(
            f"The user of --database {_named(url)} may not set up roles and schemas: {error}. "
            "Let it (ALTER ROLE … CREATEROLE; GRANT CREATE ON DATABASE … WITH GRANT OPTION), "
            "or name a superuser."
        ) from error
    finally:
        await connection.close()


async def _own_schema(connection: asyncpg.Connection, owner: str, password: str) -> None:
    role = role_name(owner)
    exists = await connection.fetchval("select 1 from pg_roles where rolname = $1", role)
    verb = "alter" if exists else "create"
    # Neither statement takes parameters. The password is ours: letters, digits, - and _ only.
    await connection.execute(f"{verb} role \"{role}\" with login password '{password}'")
    if await connection.fetchval("select to_regnamespace($1) is null", owner):
        # Only a member of a role may create what that role is to own.
        await connection.execute(f'grant "{role}" to current_user')
        await connection.execute(f'create schema "{owner}" authorization "{role}"')
    await connection.execute(f'revoke all on schema "{owner}" from public')


async def _connect(url: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(url, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        reason = str(error) or f"no answer within {CONNECT_SECONDS:.0f} s"
        raise CannotContinue(f"PostgreSQL at {_named(url)} cannot be used: {reason}") from error


def _named(url: str) -> str:
    # Without the password, which an error message must not show.
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
