"""Email providers that fail, one by one and together: no email is lost, and none is sent twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from journeys.ledger_of_all import accept_many, accept_steadily, counted
from support.commands import folder_for_homes
from support.polling import eventually
from support.ports import free_port_base
from support.rabbitmq import RabbitNode
from support.stack import QUICK_RETRIES, READY_SECONDS, Stack

pytestmark = [pytest.mark.journey, pytest.mark.rabbitmq, pytest.mark.timeout(900)]

OUTAGE_SECONDS = 60
OFFERED_PER_SECOND = 100
KILLS = 10
MANY = 5_000
IN_FLIGHT = 50

API_DOWN = {"provider": "sendgrid", "status": 503}
RELAY_DOWN = {"provider": "smtp", "stage": "connect", "drop_connection": True}


def write_providers(file: Path, base: int) -> None:
    """Two ways out, both into the simulator: an HTTP API first, then an SMTP relay."""
    file.write_text(
        f"""
        [lanes]
        normal = ["api", "relay"]
        [providers.api]
        kind = "sendgrid"
        url = "http://127.0.0.1:{base + 25}/sendgrid"
        api_key = "simulator-key"
        [providers.relay]
        kind = "smtp"
        host = "127.0.0.1"
        port = {base + 26}
        tls = "none"
        """
    )


@pytest.fixture(scope="module")
async def shared_two_providers(own_rabbit: RabbitNode) -> AsyncIterator[Stack]:
    """`tidings up` on RabbitMQ with two email providers."""
    base = free_port_base()
    with folder_for_homes() as folder:
        file = folder / "providers.toml"
        write_providers(file, base)
        stack = await Stack.start(
            folder / "home",
            port_base=base,
            env={
                **QUICK_RETRIES,
                "TIDINGS_GATEWAY_LIMIT_RECIPIENT_PER_HOUR": "0",  # all goes to one person
                "TIDINGS_EMAIL_PROVIDERS_FILE": str(file),
            },
            options={"broker": own_rabbit.url},
        )
        yield stack
        code = await stack.stop()
        assert code == 0, stack.output


@pytest.fixture
async def world(shared_two_providers: Stack) -> Stack:
    """That stack with an empty simulator without faults."""
    await shared_two_providers.clear()
    return shared_two_providers


async def providers_used(world: Stack) -> Counter[str]:
    """How many emails arrived by which API."""
    return Counter(email["provider"] for email in await world.inbox())


async def test_one_of_two_providers_down(world: Stack) -> None:
    """With the first of two providers down, every email leaves by the second, once."""
    await world.faults(API_DOWN)
    counts = await counted(world, await accept_many(world, "one-down", 300))
    assert counts.settled == {"sent": 300}
    assert (counts.missing, counts.duplicates) == (0, 0)
    assert set(await providers_used(world)) == {"smtp"}


async def test_throttling_is_obeyed(world: Stack) -> None:
    """A provider that answers 429 with `Retry-After: 2` is left alone; the other one goes on."""
    await world.faults({"provider": "sendgrid", "status": 429, "retry_after": 2, "times": 1})
    counts = await counted(world, await accept_many(world, "throttled", 300))
    assert counts.settled == {"sent": 300}
    assert (counts.missing, counts.duplicates) == (0, 0)


async def test_outage_of_every_provider_under_load(world: Stack) -> None:
    """With every provider down for 60 s under 100 emails a second, all wait and are sent once."""
    await world.faults(API_DOWN, RELAY_DOWN)
    ids = await accept_steadily(world, "outage", per_second=OFFERED_PER_SECOND, seconds=OUTAGE_SECONDS)
    await world.faults()
    counts = await counted(world, ids)
    assert counts.settled == {"sent": len(ids)}
    assert (counts.missing, counts.duplicates) == (0, 0)


async def test_killed_ten_times(world: Stack) -> None:
    """With the email service killed ten times in 5,000 emails, all arrive; only those in hand twice."""
    accepting = asyncio.create_task(accept_many(world, "kills", MANY))
    for kill in range(1, KILLS + 1):
        await eventually(partial(_arrived, world, kill * MANY // (KILLS + 2)), within=READY_SECONDS)
        world.kill("email")
        await eventually(lambda: world.is_up("email"), within=READY_SECONDS)
    counts = await counted(world, await accepting)
    assert counts.settled == {"sent": MANY}
    assert counts.missing == 0
    assert counts.duplicates <= KILLS * IN_FLIGHT


async def _arrived(world: Stack, count: int) -> bool:
    page = await world.http.get(f"{world.simulator}/api/inbox", params={"limit": 1, "bodies": "false"})
    return int(page.json()["total"]) >= count
