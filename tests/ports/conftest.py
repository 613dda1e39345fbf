"""The engines that the broker port is proved on: private servers, one of each for the session."""

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import pytest

from support.postgres import PostgresNode
from support.rabbitmq import SERVER, RabbitNode, rabbitmq_is_installed
from support.servers import PATIENCE, provision
from tidings.contracts.queues import QueueSpec, Topology
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Broker

NOT_RUN = f"RabbitMQ IS NOT INSTALLED ({SERVER}): THE RABBITMQ HALF OF THE BROKER SUITE DID NOT RUN"

OpenAnother = Callable[..., AbstractAsyncContextManager[Broker]]


class Node(Protocol):
    """A server that a test may take away and bring back, with its data."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Engine:
    """A broker's server and its URL."""

    url: str
    node: Node


@pytest.fixture(scope="session")
def rabbit_engine() -> Iterator[Engine]:
    if not rabbitmq_is_installed():
        if "CI" in os.environ:
            pytest.fail(NOT_RUN)
        pytest.skip("RabbitMQ is not installed")
    node = RabbitNode()
    try:
        node.start()
        yield Engine(node.url, node)
    finally:
        node.remove()


@pytest.fixture(scope="session")
async def postgres_engine() -> AsyncIterator[Engine]:
    node = PostgresNode()
    try:
        node.start()
        yield Engine(await provision(node.admin_dsn, "broker"), node)
    finally:
        node.remove()


@pytest.fixture(
    scope="session", params=[pytest.param("rabbit", marks=pytest.mark.rabbitmq), pytest.param("postgres")]
)
def engine(request: pytest.FixtureRequest) -> Engine:
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    return engine


@pytest.fixture
def topology() -> Topology:
    """A work queue with a failed queue and short waits, of this test's own."""
    name = secrets.token_hex(4)
    return Topology(
        namespace=name,
        queues=(QueueSpec(name=f"{name}.work.queue", routing_key="work"),),
        failed_queue=f"{name}.failed.queue",
        delays=(0.2, 1.0),
    )


@pytest.fixture
def queue(topology: Topology) -> str:
    return topology.queues[0].name


@pytest.fixture
def open_another(engine: Engine, topology: Topology) -> OpenAnother:
    """Opens one more broker on the same queues, as another process would."""

    def open_it(*, publish_limit: float = PATIENCE) -> AbstractAsyncContextManager[Broker]:
        return open_broker(engine.url, topology, publish_limit=publish_limit)

    return open_it


@pytest.fixture
async def broker(open_another: OpenAnother) -> AsyncIterator[Broker]:
    async with open_another() as broker:
        yield broker


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not rabbitmq_is_installed():
        terminalreporter.write_line(NOT_RUN, red=True, bold=True)
