"""Lanes: each priority leaves the gateway by a queue of its own."""

from itertools import product

import asyncpg
import httpx

from gateway.conftest import NewBody, OpenGateway
from gateway.queues import taking
from support.polling import eventually
from support.ports import free_port
from support.world import World
from tidings.contracts.codes import Channel, Priority
from tidings.contracts.queues import work_queue

Posted = dict[str, str]


async def test_a_priority_has_its_queue(
    open_gateway: OpenGateway, world: World, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """A notification goes straight to the queue of its channel and priority."""
    async with open_gateway() as gateway:
        posted = await post_to_each(gateway, new_body)
        await eventually(lambda: have_left(admin, posted))
    await assert_each_in_its_queue(world, posted)


async def test_the_sweeper_keeps_to_the_lanes(
    open_gateway: OpenGateway, world: World, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """What could not be published at once goes to the queue of its channel and priority, later."""
    async with open_gateway(broker_url=f"amqp://127.0.0.1:{free_port()}/") as gateway:
        posted = await post_to_each(gateway, new_body)
    await admin.execute(
        "update notifications set dispatch_at = now() where id = any($1::uuid[])", list(posted.values())
    )
    async with open_gateway():
        await eventually(lambda: have_left(admin, posted))
    await assert_each_in_its_queue(world, posted)


async def post_to_each(gateway: httpx.AsyncClient, new_body: NewBody) -> Posted:
    """Accepted ids by the queue that each belongs to."""
    posted = {}
    for channel, priority in product(Channel, Priority):
        body = new_body(channel=channel, priority=priority, variables={"name": "Ada", "link": "/"})
        accepted = await gateway.post("/v1/notifications", json=body)
        assert accepted.status_code == 202, accepted.text
        posted[work_queue(channel, priority)] = accepted.json()["id"]
    return posted


async def have_left(admin: asyncpg.Connection, posted: Posted) -> bool:
    """Whether the broker has confirmed them all."""
    waiting = "select count(*) from notifications where id = any($1::uuid[]) and dispatch_at is not null"
    return not await admin.fetchval(waiting, list(posted.values()))


async def assert_each_in_its_queue(world: World, posted: Posted) -> None:
    for queue, notification_id in posted.items():
        await assert_in_queue(world, queue, notification_id)


async def assert_in_queue(world: World, queue: str, notification_id: str) -> None:
    """Take everything from a queue, until it comes."""
    async with taking(world.broker_url, queue) as taken:
        await eventually(lambda: notification_id in taken.ids)
