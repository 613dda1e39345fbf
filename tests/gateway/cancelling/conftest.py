"""Gateways that share the workers' Redis, and a worker that only has a ledger."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from gateway.conftest import NewBody, OpenGateway
from support.polling import eventually
from support.servers import PATIENCE, ValkeyNode
from support.world import World
from tidings.contracts.codes import Status
from tidings.contracts.messages import StatusEvent, StatusReport
from tidings.contracts.queues import STATUS_QUEUE, topology
from tidings.delivery.ledger import Ledger, open_ledger
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Broker, Message
from tidings.kit.cache import open_redis


@dataclass(frozen=True)
class Desk:
    """A caller of a gateway."""

    http: httpx.AsyncClient
    new_body: NewBody

    async def send(self, **changed: object) -> UUID:
        """A notification that is accepted."""
        answer = await self.http.post("/v1/notifications", json=self.new_body(**changed))
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    async def send_queued(self, **changed: object) -> UUID:
        """A notification that the broker has."""
        sent = await self.send(**changed)
        await self.wait_for(sent, Status.QUEUED)
        return sent

    async def cancel(self, notification_id: UUID | str, **body: object) -> httpx.Response:
        """The answer to a cancel."""
        path = f"/v1/notifications/{notification_id}/cancel"
        return await (self.http.post(path, json=body) if body else self.http.post(path))

    async def cancel_many(self, **body: object) -> dict[str, Any]:
        """The answer to a cancel of many."""
        answer = await self.http.post("/v1/notifications/cancel", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def read(self, notification_id: UUID) -> dict[str, Any]:
        """A notification with its timeline."""
        found: dict[str, Any] = (await self.http.get(f"/v1/notifications/{notification_id}")).json()
        return found

    async def wait_for(self, notification_id: UUID, status: Status) -> None:
        """Return once it is in this state."""

        async def is_there() -> bool:
            return bool((await self.read(notification_id))["status"] == status)

        await eventually(is_there)


def in_a_while(**ahead: float) -> str:
    """A moment to come; an hour ahead, unless it is said."""
    return (datetime.now(UTC) + timedelta(**(ahead or {"hours": 1}))).isoformat()


async def report(broker: Broker, *events: StatusEvent) -> None:
    """What a worker tells the gateway."""
    body = msgspec.json.encode(StatusReport(events=list(events)))
    await broker.publish(STATUS_QUEUE, [Message(str(uuid4()), body)])


@pytest.fixture(scope="session")
async def ledger(world: World) -> AsyncIterator[Ledger]:
    """The ledger as a worker sees it."""
    async with open_redis(world.cache_url) as redis, open_ledger(redis) as ledger:
        yield ledger


@pytest.fixture(scope="session")
async def desk(
    open_gateway: OpenGateway, world: World, ledger: Ledger, new_body: NewBody
) -> AsyncIterator[Desk]:
    """A caller of a gateway with the workers' Redis."""
    del ledger  # there is a worker
    async with open_gateway(cache_url=world.cache_url) as http:
        yield Desk(http, new_body)


@pytest.fixture(scope="session")
async def other_desk(open_gateway: OpenGateway, world: World, new_body: NewBody) -> AsyncIterator[Desk]:
    """A caller of a second gateway on the same database and Redis."""
    async with open_gateway(cache_url=world.cache_url) as http:
        yield Desk(http, new_body)


@pytest.fixture
async def own_valkey() -> AsyncIterator[ValkeyNode]:
    """A Valkey server that this test may stop."""
    node = ValkeyNode()
    yield node
    node.stop()


@pytest.fixture(scope="session")
async def broker(world: World) -> AsyncIterator[Broker]:
    """The broker that gateway and workers share."""
    async with open_broker(world.broker_url, topology(), publish_limit=PATIENCE) as broker:
        yield broker
