"""Servers and credentials that every suite uses. The servers run for one session."""

import re
from collections.abc import Awaitable, Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler.loadfile import LoadFileScheduling

from support.postgres import PostgresNode
from support.servers import SERVICE_SECRET, ValkeyNode, create_database, provision
from tidings.kit.auth import ServiceTokens

# A slow machine is no failure: timing belongs in benchmarks/.
settings.register_profile(
    "unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")


JOURNEYS = "tests/journeys/"

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A name without a UUID: the processes that share the tests have to name them alike."""
    return argname if isinstance(val, str) and _UUID.search(val) else None


class _ByFile(LoadFileScheduling):  # type: ignore[misc] # it comes without types
    """A file stays whole, and so do the journeys: two under load at once would be under twice the load."""

    def _split_scope(self, nodeid: str) -> str:
        return JOURNEYS if nodeid.startswith(JOURNEYS) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ByFile:
    """How tests are shared among processes, where there are several."""
    return _ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The journeys come first, since they take longest: the other processes do all the rest meanwhile."""
    items.sort(key=lambda item: not item.nodeid.startswith(JOURNEYS))


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
