"""Push providers that fail, and a push service that is killed: no push is lost, none settles twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from journeys.devices import devices_of, person_with, phone, tablet
from journeys.ledger_of_all import Counts, accept_many, accept_steadily, counted, ends_of, pushes
from support.commands import folder_for_homes
from support.polling import eventually
from support.ports import free_port, free_port_base
from support.rabbitmq import RabbitNode
from support.stack import QUICK_RETRIES, Stack

pytestmark = [pytest.mark.journey, pytest.mark.rabbitmq, pytest.mark.timeout(900)]

OUTAGE_SECONDS = 60
OFFERED_PER_SECOND = 100
KILLS = 10
MANY = 5_000
IN_FLIGHT = 50
DEVICES = 500
RESTART_SECONDS = 60.0

FCM_DOWN = {"provider": "fcm", "status": 503}


def write_providers(home: Path, file: Path, base: int) -> None:
    """Two Firebase projects, of which one cannot be reached and is only the critical lane's; and Expo."""
    file.write_text(
        f"""
        [lanes]
        normal = ["firebase", "expo"]
        critical = ["unreachable", "firebase", "expo"]
        [providers.firebase]
        kind = "fcm"
        credentials_file = "{home / "fcm-service-account.json"}"
        url = "http://127.0.0.1:{base + 25}/fcm"
        seconds = 15.0
        [providers.unreachable]
        kind = "fcm"
        credentials_file = "{home / "fcm-service-account.json"}"
        url = "http://127.0.0.1:{free_port()}/fcm"
        [providers.expo]
        kind = "expo"
        url = "http://127.0.0.1:{base + 25}/expo"
        """
    )


@pytest.fixture(scope="module")
async def shared_world(own_rabbit: RabbitNode) -> AsyncIterator[Stack]:
    """`tidings up` on RabbitMQ with three push providers."""
    base = free_port_base()
    with folder_for_homes() as folder:
        home, file = folder / "home", folder / "providers.toml"
        write_providers(home, file, base)
        stack = await Stack.start(
            home,
            port_base=base,
            env={
                **QUICK_RETRIES,
                "TIDINGS_GATEWAY_LIMIT_RECIPIENT_PER_HOUR": "0",  # all goes to one person
                "TIDINGS_PUSH_PROVIDERS_FILE": str(file),
            },
            options={"broker": own_rabbit.url},
        )
        yield stack
        code = await stack.stop()
        assert code == 0, stack.output


@pytest.fixture
async def world(shared_world: Stack) -> Stack:
    """That stack with an empty simulator without faults, and a worker that has left no provider alone."""
    await shared_world.clear()
    await shared_world.restart("push")
    return shared_world


@pytest.fixture
async def owner(world: Stack) -> str:
    """A person with one phone."""
    return await person_with(world, phone())


def assert_all_arrived(counts: Counts, *, duplicates: int = 0) -> None:
    """Each was sent and has one end, and no more copies arrived than those."""
    assert counts.settled == {"sent": counts.accepted}
    assert (counts.settled_twice, counts.missing) == (0, 0)
    assert counts.duplicates <= duplicates


async def test_one_of_two_providers_of_a_kind_down(world: Stack, owner: str) -> None:
    """With one of two Firebase projects out of reach, every push leaves by the other one, once."""
    ids = await accept_many(world, "one-down", 300, channel="push", user_id=owner, priority="critical")
    assert_all_arrived(await counted(world, ids, arrivals=pushes))
    (end,) = ends_of(await world.notification(ids[-1]))
    assert end["provider"] == "firebase"


async def test_throttling_is_obeyed(world: Stack, owner: str) -> None:
    """Told to wait by a 429, with `Retry-After` or without, providers are left alone; then all go out."""
    traveller = await person_with(world, tablet())
    await world.faults(
        {"provider": "fcm", "status": 429, "retry_after": 2, "times": 1},
        {"provider": "expo", "status": 429, "times": 1},
    )
    both = await asyncio.gather(
        accept_many(world, "told", 100, channel="push", user_id=owner),
        accept_many(world, "untold", 100, channel="push", user_id=traveller),
    )
    assert_all_arrived(await counted(world, [*both[0], *both[1]], arrivals=pushes))
    assert await fired(world) == [1, 1]


async def test_answers_that_say_nothing(world: Stack, owner: str) -> None:
    """Broken JSON, and answers that drip for longer than the limit: those pushes alone are repeated."""
    await world.faults(
        {"provider": "fcm", "malformed_answer": True, "times": 3},
        {"provider": "fcm", "slow_answer_s": 60, "times": 3},
    )
    ids = await accept_many(world, "nothing-said", 100, channel="push", user_id=owner)
    assert_all_arrived(await counted(world, ids, arrivals=pushes), duplicates=6)
    assert await fired(world) == [3, 3]


async def test_token_endpoint_down(world: Stack, owner: str) -> None:
    """Without an access token nothing leaves; once the token endpoint is back, every push does, once."""
    await world.faults({"provider": "google_token", "status": 503})
    world.kill("push")  # the next worker starts without a token
    ids = await accept_many(world, "no-token", 100, channel="push", user_id=owner)
    await eventually(lambda: has_fired(world), within=RESTART_SECONDS)
    assert await world.pushes() == []
    await world.faults()
    assert_all_arrived(await counted(world, ids, arrivals=pushes))


async def test_none_one_and_five_hundred_devices(world: Stack) -> None:
    """With half of 500 devices dead, the others get it once; the dead ones are told of, and forgotten."""
    alive = [phone() for _ in range(DEVICES // 2)]
    dead = [phone("unregistered") for _ in range(DEVICES // 2)]
    single = phone()
    nobody, one = await person_with(world), await person_with(world, single)
    many = await person_with(world, *alive, *dead)
    assert len(await devices_of(world, many)) == DEVICES
    ids = [await world.accept("push", user_id=user_id) for user_id in (nobody, one, many)]
    counts = await counted(world, ids, arrivals=pushes)
    assert counts.settled == {"failed": 1, "sent": 2}
    assert (counts.settled_twice, counts.missing, counts.duplicates) == (0, 1, 0)
    unreached, _, found = [await world.notification(notification_id) for notification_id in ids]
    assert unreached["reason"] == "no_push_token"
    assert ends_by_device(found) == {("sent", None): len(alive), ("failed", "recipient_refused"): len(dead)}
    arrived = [push["token"] for push in await world.pushes()]
    left = [device["token"] for device in await devices_of(world, many)]
    assert sorted(left) == sorted(device["token"] for device in alive)
    assert sorted(arrived) == sorted([*left, single["token"]])


def ends_by_device(notification: dict[str, Any]) -> Counter[tuple[str, str | None]]:
    """How many devices ended how, and why."""
    return Counter(
        (step["status"], step["reason"]) for step in notification["timeline"] if step["target"] is not None
    )


async def test_sandbox(world: Stack, owner: str) -> None:
    """A test key's push reaches no provider; a magic device behaves as it is named, and goes when dead."""
    magic = {"provider": "fcm", "token": "tidings-sandbox-dead"}
    trial = {"Authorization": f"Bearer {world.ready['test_api_key']}"}
    tried = await world.http.post(
        f"{world.gateway}/v1/notifications", json=world.request("push", user_id=owner), headers=trial
    )
    assert tried.status_code == httpx.codes.ACCEPTED, tried.text
    magician = await person_with(world, magic)
    refused = await world.wait_settled(await world.accept("push", user_id=magician))
    url = f"{world.gateway}/v1/notifications/{tried.json()['id']}"

    async def settled() -> bool:
        return bool((await world.http.get(url, headers=trial)).json()["settled"])

    await eventually(settled)
    (end,) = ends_of((await world.http.get(url, headers=trial)).json())
    assert (end["status"], end["provider"]) == ("sent", "sandbox")
    assert (refused["status"], refused["reason"]) == ("failed", "recipient_refused")
    assert await devices_of(world, magician) == []
    assert await world.pushes() == []


async def test_outage_under_load(world: Stack, owner: str) -> None:
    """With FCM down for 60 s under 100 pushes a second, all wait and are sent once."""
    await world.faults(FCM_DOWN)
    ids = await accept_steadily(
        world,
        "outage",
        per_second=OFFERED_PER_SECOND,
        seconds=OUTAGE_SECONDS,
        channel="push",
        user_id=owner,
    )
    await world.faults()
    assert_all_arrived(await counted(world, ids, arrivals=pushes))


async def test_killed_ten_times(world: Stack, owner: str) -> None:
    """With the push service killed ten times in 5,000 pushes, all arrive; only those in hand twice."""
    accepting = asyncio.create_task(accept_many(world, "kills", MANY, channel="push", user_id=owner))
    for kill in range(1, KILLS + 1):
        await eventually(partial(_arrived, world, kill * MANY // (KILLS + 2)), within=RESTART_SECONDS)
        world.kill("push")
        await eventually(lambda: world.is_up("push"), within=RESTART_SECONDS)
    counts = await counted(world, await accepting, arrivals=pushes)
    assert_all_arrived(counts, duplicates=KILLS * IN_FLIGHT)


async def _arrived(world: Stack, count: int) -> bool:
    page = await world.http.get(f"{world.simulator}/api/push", params={"limit": 1})
    return int(page.json()["total"]) >= count


async def fired(world: Stack) -> list[int]:
    """How often each fault in force has fired."""
    report = (await world.http.get(f"{world.simulator}/api/faults")).json()
    return [entry["fired"] for entry in report["faults"]]


async def has_fired(world: Stack) -> bool:
    """Whether any fault has."""
    return any(await fired(world))
