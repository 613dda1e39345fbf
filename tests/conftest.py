"""Servers and credentials that every suite uses. The servers run for one session."""

import re
from collections.abc import Awaitable, Callable, Iterator

import pytest
from hypothesis import settings

from support.postgres import PostgresNode
from support.servers import SERVICE_SECRET, ValkeyNode, create_database, provision
from tidings.kit.auth import ServiceTokens

# A slow machine is no failure: timing belongs in benchmarks/.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A name without a UUID: the processes that share the tests have to name them alike."""
    return argname if isinstance(val, str) and _UUID.search(val) else None


@pytest.fixture(scope="session")
def postgres_admin_url() -> Iterator[str]:
    """The superuser's DSN of a PostgreSQL cluster."""
    node = PostgresNode()
    try:
        node.start()
        yield node.admin_dsn
    finally:
        node.remove()


@pytest.fixture(scope="module")
async def module_database(postgres_admin_url: str) -> str:
    """The superuser's DSN of a database that this test module has to itself."""
    return await create_database(postgres_admin_url)


@pytest.fixture(scope="module")
def service_database(module_database: str) -> Callable[[str], Awaitable[str]]:
    """What provisions a role and its schema for a service, by name, and returns the role's DSN."""

    async def provide(service: str) -> str:
        return await provision(module_database, service)

    return provide


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """A Valkey server's URL. A test that stops its server runs a `ValkeyNode` of its own."""
    node = ValkeyNode()
    yield node.url
    node.stop()


@pytest.fixture(scope="session")
def service_token() -> Callable[..., str]:
    """What signs a token for calls to a service, with the scopes named, or with all."""

    def sign(audience: str, *scopes: str) -> str:
        return ServiceTokens("tests", SERVICE_SECRET).sign(audience, scopes or ("*",))

    return sign
