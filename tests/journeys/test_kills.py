"""Processes and brokers that die in the middle of work: nothing is lost."""

import asyncio
from collections import Counter

import pytest

from support.polling import eventually
from support.rabbitmq import RabbitNode
from support.stack import READY_SECONDS, Stack

pytestmark = pytest.mark.journey

MANY = 500
CALLERS = 25
IN_FLIGHT = 50
BROKER_GONE_SECONDS = 10


async def accept_many(world: Stack, run: str) -> list[str]:
    slots = asyncio.Semaphore(CALLERS)

    async def one(number: int) -> str:
        async with slots:
            return await world.accept(request_id=f"{run}-{number}")

    return await asyncio.gather(*(one(number) for number in range(MANY)))


async def all_sent(world: Stack, ids: list[str]) -> None:
    slots = asyncio.Semaphore(CALLERS)

    async def one(notification_id: str) -> str:
        async with slots:
            return str((await world.wait_settled(notification_id))["status"])

    assert Counter(await asyncio.gather(*map(one, ids))) == {"sent": len(ids)}


async def emails_per_notification(world: Stack, ids: list[str]) -> list[int]:
    found = Counter(email["message_id"].strip("<>").split("@")[0] for email in await world.inbox())
    return [found[notification_id] for notification_id in ids]


@pytest.mark.parametrize("service", ["email", "gateway"])
async def test_killed_in_the_middle(world: Stack, service: str) -> None:
    """With a service killed in the middle of 500 emails, all 500 are delivered and settle."""
    ids = await accept_many(world, f"kill-{service}")
    await eventually(lambda: _some_arrived(world), within=READY_SECONDS)
    world.kill(service)
    await eventually(lambda: world.is_up(service), within=READY_SECONDS)
    await all_sent(world, ids)
    copies = await emails_per_notification(world, ids)
    assert min(copies) == 1
    # Only what was in a killed worker's hands at that moment may have arrived twice.
    assert sum(copies) - len(ids) <= (IN_FLIGHT if service == "email" else 0)


async def test_broker_gone_for_a_while(real_world: Stack, rabbit: RabbitNode) -> None:
    """With RabbitMQ stopped for 10 s during 500 accepts, all are accepted, and delivered once it is back."""
    accepting = asyncio.create_task(accept_many(real_world, "broker-gone"))
    await eventually(lambda: _some_arrived(real_world), within=READY_SECONDS)
    await asyncio.to_thread(rabbit.stop)
    ids = await accepting
    await asyncio.sleep(BROKER_GONE_SECONDS)  # the outage itself
    await asyncio.to_thread(rabbit.start)
    await all_sent(real_world, ids)
    assert min(await emails_per_notification(real_world, ids)) == 1


async def _some_arrived(world: Stack) -> bool:
    return len(await world.inbox()) >= CALLERS
