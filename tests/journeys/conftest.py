"""The stacks that the journeys share: `tidings up` on its embedded default, and on real servers."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from support.commands import folder_for_homes
from support.rabbitmq import RabbitNode, rabbitmq_is_installed
from support.servers import ValkeyNode, create_database
from support.stack import Stack


@pytest.fixture(scope="session")
async def shared_stack() -> AsyncIterator[Stack]:
    """The default start, with the database as broker and quick retries, but for a Valkey of the tests.

    Services give up on the embedded one after half a second, and then rightly send unclaimed, or park.
    """
    valkey = ValkeyNode()
    with folder_for_homes() as folder:
        stack = await Stack.start(folder / "home", options={"cache": valkey.url})
        yield stack
        code = await stack.stop()
        assert code == 0, stack.output
    valkey.stop()


@pytest.fixture
async def stack(shared_stack: Stack) -> Stack:
    """The shared stack with an empty simulator without faults."""
    await shared_stack.clear()
    return shared_stack


@contextmanager
def rabbit_node() -> Iterator[RabbitNode]:
    if not rabbitmq_is_installed():
        if "CI" in os.environ:
            pytest.fail("RabbitMQ is not installed")
        pytest.skip("RabbitMQ is not installed")
    node = RabbitNode()
    try:
        node.start()
        yield node
    finally:
        node.remove()


@pytest.fixture(scope="session")
def rabbit() -> Iterator[RabbitNode]:
    """A RabbitMQ node for `real_world`."""
    with rabbit_node() as node:
        yield node


@pytest.fixture(scope="module")
def own_rabbit() -> Iterator[RabbitNode]:
    """A node for the stack of one module: two stacks on one node would take each other's messages."""
    with rabbit_node() as node:
        yield node


@pytest.fixture(scope="session")
async def real_database(postgres_admin_url: str) -> str:
    """The superuser's DSN of the database of `real_world`."""
    return await create_database(postgres_admin_url)


@pytest.fixture(scope="session")
async def shared_real_world(rabbit: RabbitNode, real_database: str) -> AsyncIterator[Stack]:
    """`tidings up` on a RabbitMQ, a PostgreSQL and a Valkey that are there already."""
    valkey = ValkeyNode()
    engines = {"broker": rabbit.url, "database": real_database, "cache": valkey.url}
    with folder_for_homes() as folder:
        stack = await Stack.start(folder / "home", options=engines)
        yield stack
        code = await stack.stop()
        assert code == 0, stack.output
    valkey.stop()


@pytest.fixture
async def real_world(shared_real_world: Stack) -> Stack:
    """The stack on real servers with an empty simulator without faults."""
    await shared_real_world.clear()
    return shared_real_world


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.rabbitmq)])
def shared_world(request: pytest.FixtureRequest) -> Stack:
    """Each of the two in turn: what holds on one holds on the other."""
    stack: Stack = request.getfixturevalue(
        "shared_stack" if request.param == "embedded" else "shared_real_world"
    )
    return stack


@pytest.fixture
async def world(shared_world: Stack) -> Stack:
    """One of the two with an empty simulator without faults."""
    await shared_world.clear()
    return shared_world
