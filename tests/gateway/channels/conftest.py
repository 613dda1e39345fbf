"""What is sent as fallback, and a second gateway that sweeps."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest

from gateway.conftest import NewBody, OpenGateway
from gateway.queues import Taken, taking
from support.polling import eventually
from support.servers import PATIENCE
from support.world import World
from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import StatusEvent, StatusReport
from tidings.contracts.queues import STATUS_QUEUE, topology
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Broker, Message
from tidings.kit.ids import now


@dataclass(frozen=True)
class Pair:
    """A push and the email behind it."""

    push: UUID
    email: UUID


@dataclass(frozen=True)
class Fallbacks:
    """A gateway, what its workers would report, and the emails that were handed to the broker."""

    gateway: httpx.AsyncClient
    admin: asyncpg.Connection
    broker: Broker
    emails: Taken
    new_body: NewBody

    async def send(self, **fallback: object) -> Pair:
        """A push whose fallback is an email."""
        body = self.new_body(
            channel="push",
            variables={"name": "Ada", "link": "https://example.com"},
            fallback={"channel": "email", **fallback},
        )
        answer = await self.gateway.post("/v1/notifications", json=body)
        assert answer.status_code == 202, answer.text
        return Pair(UUID(answer.json()["id"]), UUID(answer.json()["others"][0]["id"]))

    async def report(self, *reports: list[StatusEvent]) -> None:
        """What workers and browsers say of notifications."""
        bodies = [msgspec.json.encode(StatusReport(events=events)) for events in reports]
        await self.broker.publish(STATUS_QUEUE, [Message(str(uuid4()), body) for body in bodies])

    async def make_due(self, pair: Pair) -> None:
        """Let the time pass that the fallback gives the push."""
        await self.admin.execute(
            """
            update notifications set send_at = now(), dispatch_at = now()
            where id = $1 and status = 'scheduled' and dispatch_at = send_at
            """,
            pair.email,
        )

    async def read(self, notification_id: UUID) -> dict[str, Any]:
        """A notification as callers see it."""
        return dict((await self.gateway.get(f"/v1/notifications/{notification_id}")).json())

    async def decided(self, pair: Pair) -> dict[str, Any]:
        """The fallback, once it waits no longer."""
        found: dict[str, Any] = {}

        async def is_decided() -> bool:
            found.update(await self.read(pair.email))
            return bool(found["status"] != "scheduled")

        await eventually(is_decided)
        return found

    async def reported(self, pair: Pair, count: int) -> None:
        """Return once so many steps of the push are known besides its way to the broker."""
        own = {"accepted", "queued"}

        async def known() -> bool:
            timeline = (await self.read(pair.push))["timeline"]
            return sum(step["status"] not in own for step in timeline) >= count

        await eventually(known)

    def times_sent(self, pair: Pair) -> int:
        """How often the email was handed to the broker."""
        return self.emails.ids[str(pair.email)]


def step(
    notification_id: UUID, status: Status, reason: Reason | None = None, *, attempt: int = 1
) -> StatusEvent:
    """What is reported of a notification."""
    return StatusEvent(
        notification_id=notification_id, status=status, reason=reason, attempt=attempt, at=now()
    )


@pytest.fixture(scope="module")
async def second_gateway(open_gateway: OpenGateway) -> AsyncIterator[httpx.AsyncClient]:
    """One more gateway on the same database, which accepts, tracks and sweeps as well."""
    async with open_gateway() as gateway:
        yield gateway


@pytest.fixture(scope="module")
async def fallbacks(
    gateway: httpx.AsyncClient,
    second_gateway: httpx.AsyncClient,  # noqa: ARG001 - it sweeps and tracks besides
    admin: asyncpg.Connection,
    world: World,
    new_body: NewBody,
) -> AsyncIterator[Fallbacks]:
    """Pushes with an email behind them, at two gateways."""
    async with (
        taking(world.broker_url, "email.queue") as emails,
        open_broker(world.broker_url, topology(), publish_limit=PATIENCE) as broker,
    ):
        yield Fallbacks(gateway, admin, broker, emails, new_body)
