"""Gateways as they are deployed: processes that may be crowded, cut off from others, and killed."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import httpx
import msgspec
import pytest

from gateway.conftest import API_KEY
from support.ports import free_port
from support.rabbitmq import RabbitNode, rabbitmq_is_installed
from support.serving import ServiceProcess, service_process
from tidings.gateway.settings import GatewaySettings

PATIENCE = 120.0
"""Seconds that a client of these tests waits, to tell a late answer from none."""

FULL = os.environ.get("FAULTS") == "full"
HASTE = {"database_seconds": 1.0, "look_up_seconds": 0.5}
"""The limits that a gateway keeps unless it is told to be patient."""


@dataclass(frozen=True)
class Running:
    """A gateway's process, and a client of it with the API key."""

    process: ServiceProcess
    http: httpx.AsyncClient


StartGateway = Callable[..., AbstractAsyncContextManager[Running]]


def at_full_size(full: int, *, usually: int) -> int:
    """How many: `make faults` runs these tests at their full size."""
    return full if FULL else usually


@pytest.fixture
def stopped_rabbit() -> Iterator[RabbitNode]:
    """A RabbitMQ node that does not run yet."""
    if not rabbitmq_is_installed():
        (pytest.fail if "CI" in os.environ else pytest.skip)("RabbitMQ is not installed")
    node = RabbitNode()
    yield node
    node.remove()


@pytest.fixture(scope="session")
def start_gateway(settings: GatewaySettings) -> StartGateway:
    """Starts one more gateway, with other settings where they are named; hasty at full size."""

    @asynccontextmanager
    async def start(**changed: object) -> AsyncIterator[Running]:
        own = msgspec.structs.replace(settings, port=free_port(), **(HASTE if FULL else {}), **changed)
        headers = {"Authorization": f"Bearer {API_KEY}"}
        limits = httpx.Limits(max_connections=None)
        async with (
            service_process("gateway", own) as process,
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{own.port}", headers=headers, timeout=PATIENCE, limits=limits
            ) as http,
        ):
            yield Running(process, http)

    return start
