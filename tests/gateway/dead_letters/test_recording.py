"""What nobody could deal with: kept whole, and settled where no worker said so."""

from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec

from gateway.conftest import NewBody
from support.polling import eventually
from support.servers import PATIENCE
from support.world import World
from tidings.contracts.codes import Channel, Reason
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.queues import EMAIL_QUEUE, FAILED_QUEUE, topology
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Message
from tidings.kit.ids import now


async def accepted(gateway: httpx.AsyncClient, body: dict[str, Any]) -> DeliveryMessage:
    answer = (await gateway.post("/v1/notifications", json=body)).json()
    return DeliveryMessage(
        notification_id=answer["id"],
        request_id=answer["request_id"],
        channel=Channel.EMAIL,
        user_id=body["user_id"],
        template_id="welcome",
        accepted_at=now(),
    )


async def give_up(world: World, message: DeliveryMessage, reason: Reason, times: int = 1) -> None:
    headers = {"x-reason": reason, "x-detail": "its consumers died", "x-queue": EMAIL_QUEUE}
    letter = Message(str(message.notification_id), msgspec.json.encode(message), headers)
    async with open_broker(world.broker_url, topology(), publish_limit=PATIENCE) as broker:
        await broker.publish(FAILED_QUEUE, [letter] * times)


async def kept(admin: asyncpg.Connection, message: DeliveryMessage) -> list[str]:
    rows = await admin.fetch(
        "select reason from dead_letters where notification_id = $1", message.notification_id
    )
    return [row["reason"] for row in rows]


async def test_what_the_broker_gave_up_on_is_settled(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """A message whose workers kept dying, which none of them reported, ends dead-lettered, once."""
    message = await accepted(gateway, new_body())
    await give_up(world, message, Reason.DELIVERY_LIMIT, times=3)
    found: dict[str, Any] = {}

    async def settled() -> bool:
        found.update((await gateway.get(f"/v1/notifications/{message.notification_id}")).json())
        return bool(found["settled"])

    await eventually(settled)
    assert (found["status"], found["reason"]) == ("dead_lettered", "delivery_limit")
    assert [step["status"] for step in found["timeline"]].count("dead_lettered") == 1
    await eventually(lambda: _is(kept(admin, message), ["delivery_limit"]))


async def test_what_a_worker_reports_is_left_to_its_report(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """A dead letter that its worker reports itself is kept, and changes no state before the report."""
    message = await accepted(gateway, new_body())
    await give_up(world, message, Reason.RECIPIENT_REFUSED)
    await eventually(lambda: _is(kept(admin, message), ["recipient_refused"]))
    found = (await gateway.get(f"/v1/notifications/{message.notification_id}")).json()
    assert not found["settled"]


async def test_a_stranger_is_kept(
    world: World, gateway: httpx.AsyncClient, admin: asyncpg.Connection
) -> None:
    """A letter that is no notification of ours is kept as it is."""
    assert (await gateway.get("/health/live")).status_code == httpx.codes.OK
    body = f"who is {uuid4()}".encode()
    async with open_broker(world.broker_url, topology(), publish_limit=PATIENCE) as broker:
        await broker.publish(FAILED_QUEUE, [Message(str(uuid4()), body, {})])

    async def found() -> bool:
        return bool(await admin.fetchval("select true from dead_letters where body = $1", body))

    await eventually(found)


async def _is(found: Any, expected: list[str]) -> bool:  # noqa: ANN401 - an awaitable of what it should be
    return bool(await found == expected)
