"""Schedules whose occurrences go to several channels."""

from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec

from gateway.schedules.conftest import Add, Overdue, Read, has, made_by
from support.polling import eventually
from support.servers import PATIENCE
from support.world import World
from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import StatusEvent, StatusReport
from tidings.contracts.queues import STATUS_QUEUE, topology
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Message
from tidings.kit.ids import now

BOTH = {"channel": "push", "variables": {"name": "Ada", "link": "https://example.com"}}


async def test_at_the_same_time(gateway: httpx.AsyncClient, add: Add, overdue: Overdue, read: Read) -> None:
    """With `also` an occurrence is one of the schedule's, and a notification on each channel."""
    added = await add(notification=BOTH | {"also": ["email"]})
    assert added["notification"]["also"] == ["email"]
    await overdue(added["id"], hours=1)
    await eventually(lambda: has(read, added["id"], made=1))
    email, push = sorted(await made_by(gateway, added["id"]), key=lambda one: str(one["channel"]))
    assert (email["channel"], push["channel"]) == ("email", "push")
    assert email["group_id"] == push["group_id"] == push["id"]
    assert email["request_id"] == push["request_id"]
    for one in (email, push):
        await eventually(lambda one=one: stands(gateway, one["id"], "queued"))  # type: ignore[misc] # mypy cannot infer a lambda with a default


async def test_one_after_the_other(
    gateway: httpx.AsyncClient, add: Add, overdue: Overdue, read: Read, world: World
) -> None:
    """With a `fallback` each occurrence has one of its own, which follows when the first has failed."""
    fallback = {"channel": "email", "after_seconds": 86_400, "unless": "delivered"}
    added = await add(notification=BOTH | {"fallback": fallback})
    for made in (1, 2):
        await overdue(added["id"], hours=1)
        await eventually(lambda made=made: has(read, added["id"], made=made))  # type: ignore[misc] # mypy cannot infer a lambda with a default
    notifications = await made_by(gateway, added["id"])
    pushes = [one for one in notifications if one["channel"] == "push"]
    emails = {one["fallback_of"]: one for one in notifications if one["channel"] == "email"}
    assert [emails[push["id"]]["id"] for push in pushes] == [push["fallback_id"] for push in pushes]
    assert {one["status"] for one in emails.values()} == {"scheduled"}

    failed, waiting = pushes
    await report_failed(world, failed["id"])
    await eventually(lambda: stands(gateway, failed["fallback_id"], "queued"))
    assert await stands(gateway, waiting["fallback_id"], "scheduled")


async def test_a_schedule_of_an_earlier_release(
    gateway: httpx.AsyncClient, add: Add, overdue: Overdue, read: Read, admin: asyncpg.Connection
) -> None:
    """What was stored before there were several channels is read, and goes on."""
    added = await add()
    await admin.execute(
        "update schedules set notification = notification - '{also,fallback}'::text[] where id = $1",
        added["id"],
    )
    assert await read(added["id"]) == added
    await overdue(added["id"], hours=1)
    await eventually(lambda: has(read, added["id"], made=1))
    (notification,) = await made_by(gateway, added["id"])
    assert notification["group_id"] is None


async def stands(gateway: httpx.AsyncClient, notification_id: str, status: str) -> bool:
    found = (await gateway.get(f"/v1/notifications/{notification_id}")).json()
    return bool(found["status"] == status)


async def report_failed(world: World, notification_id: str) -> None:
    """As a worker would."""
    event = StatusEvent(
        notification_id=UUID(notification_id),
        status=Status.FAILED,
        reason=Reason.RECIPIENT_REFUSED,
        attempt=1,
        at=now(),
    )
    async with open_broker(world.broker_url, topology(), publish_limit=PATIENCE) as broker:
        body = msgspec.json.encode(StatusReport(events=[event]))
        await broker.publish(STATUS_QUEUE, [Message(str(uuid4()), body)])
