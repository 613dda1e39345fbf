"""Writes whose first request does not come to its end."""

import asyncio
import signal

import asyncpg
import httpx
import msgspec
import pytest

from gateway.conftest import API_KEY, OpenGateway
from gateway.idempotency.conftest import Write, is_replay, told
from support.answering import Answering, answering, http
from support.polling import eventually
from support.servers import free_port
from support.serving import service_process
from tidings.gateway.settings import GatewaySettings

PERSON = {"name": "Ada"}


def was_asked(users: Answering) -> bool:
    """Whether the write has come to the service it is for."""
    return any(request.startswith(b"POST /users ") for request in users.requests)


async def end_lease(admin: asyncpg.Connection, key: str) -> None:
    """Let the 30 seconds pass."""
    await admin.execute(
        "update kept_answers set leased_until = leased_until - interval '30 seconds' where key = $1", key
    )


async def test_while_the_first_is_running(
    write: Write, open_gateway: OpenGateway, gateway: httpx.AsyncClient, new_key: str
) -> None:
    """The same request meanwhile is told to come again, at every gateway; another one that it is another."""
    async with answering(None) as slow, open_gateway(users_url=slow.url) as first:
        running = asyncio.create_task(write(new_key, "/v1/users", json=PERSON, through=first))
        await eventually(lambda: was_asked(slow))
        same = [await write(new_key, "/v1/users", json=PERSON, through=one) for one in (first, gateway)]
        other = await write(new_key, "/v1/users", json={"name": "Grace"})
        running.cancel()
    assert {told(answer) for answer in same} == {(409, "idempotency_in_progress")}
    assert int(same[0].headers["Retry-After"]) >= 1
    assert told(other) == (422, "idempotency_key_reused")


async def test_a_gateway_killed_at_work(
    write: Write, settings: GatewaySettings, new_key: str, admin: asyncpg.Connection
) -> None:
    """What a killed gateway began is refused until its lease ends, and then done by whoever is asked next."""
    async with answering(None) as slow:
        port = free_port()
        own = msgspec.structs.replace(settings, port=port, users_url=slow.url)
        async with (
            service_process("gateway", own) as process,
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {API_KEY}"}
            ) as killed,
        ):
            running = asyncio.create_task(write(new_key, "/v1/users", json=PERSON, through=killed))
            await eventually(lambda: was_asked(slow))
            await process.end(signal.SIGKILL)
            with pytest.raises(httpx.TransportError):
                await running
    before = await write(new_key, "/v1/users", json=PERSON)
    await end_lease(admin, new_key)
    other = await write(new_key, "/v1/users", json={"name": "Grace"})
    anew = await write(new_key, "/v1/users", json=PERSON)
    again = await write(new_key, "/v1/users", json=PERSON)
    assert told(before) == (409, "idempotency_in_progress")
    assert told(other) == (422, "idempotency_key_reused")
    assert (anew.status_code, is_replay(anew)) == (201, False)
    assert (again.content, is_replay(again)) == (anew.content, True)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_failure_is_not_kept(
    write: Write, open_gateway: OpenGateway, new_key: str, status: int
) -> None:
    """After a 5xx or a 429 the key is free at once: the next request is done."""
    async with answering(http(status, "{}")) as failing, open_gateway(users_url=failing.url) as through:
        failed = await write(new_key, "/v1/users", json=PERSON, through=through)
    anew = await write(new_key, "/v1/users", json=PERSON)
    assert (failed.status_code, anew.status_code, is_replay(anew)) == (status, 201, False)
