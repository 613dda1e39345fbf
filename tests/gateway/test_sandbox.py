"""Test keys: what is sent with one is marked all the way, so that it reaches no real provider."""

from collections.abc import Callable

import asyncpg
import httpx
import msgspec

from gateway.conftest import API_KEY, TEST_API_KEY, NewBody
from gateway.queues import taking
from support.polling import eventually
from support.world import World
from tidings.contracts.messages import DeliveryMessage


async def test_the_mark_is_on_the_notification(
    trying: httpx.AsyncClient, gateway: httpx.AsyncClient, new_body: NewBody
) -> None:
    """Who reads it sees which of the two it was."""
    for client, marked in ((trying, True), (gateway, False)):
        accepted = await client.post("/v1/notifications", json=new_body())
        assert accepted.status_code == 202, accepted.text
        assert (await client.get(accepted.headers["Location"])).json()["sandbox"] is marked


async def test_the_mark_is_on_the_message(trying: httpx.AsyncClient, world: World, new_body: NewBody) -> None:
    """The channel's worker is told, with every message."""
    async with taking(world.broker_url, "email.queue") as taken:
        accepted = await trying.post("/v1/notifications", json=new_body())
        await eventually(lambda: accepted.json()["id"] in taken.ids)
        delivery = taken.of(accepted.json()["id"])[0]
    assert msgspec.json.decode(delivery.message.body, type=DeliveryMessage).sandbox is True


async def test_the_keys_do_not_share_requests(
    trying: httpx.AsyncClient, gateway: httpx.AsyncClient, new_body: NewBody
) -> None:
    """A request that was tried out is still new to the live key."""
    body = new_body()
    tried = await trying.post("/v1/notifications", json=body)
    live = await gateway.post("/v1/notifications", json=body)
    assert (tried.status_code, live.status_code) == (202, 202)
    assert tried.json()["id"] != live.json()["id"]
    assert "Idempotent-Replayed" not in live.headers


async def test_other_services_are_told(
    gateway: httpx.AsyncClient, admin: asyncpg.Connection, service_token: Callable[..., str]
) -> None:
    """Who asks whose key it is hears whether it is a test key; the table says so too."""
    headers = {"Authorization": f"Bearer {service_token('gateway')}"}
    for key, marked in ((TEST_API_KEY, True), (API_KEY, False)):
        answer = await gateway.post("/internal/api-keys/check", json={"key": key}, headers=headers)
        assert answer.json()["sandbox"] is marked
    stored = "select sandbox from api_keys where prefix = $1"
    assert await admin.fetchval(stored, TEST_API_KEY[:13]) is True
