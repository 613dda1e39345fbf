"""Writes whose first request does not come to its end."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import msgspec
import pytest

from gateway.conftest import API_KEY, OpenGateway
from gateway.idempotency.conftest import Write, is_replay, told
from support.answering import Answering, answering, http
from support.polling import eventually
from support.ports import free_port
from support.serving import service_process
from support.world import World
from tidings.gateway.settings import GatewaySettings

PERSON = {"name": "Ada"}


def was_asked(users: Answering) -> bool:
    """Whether the write has come to the service it is for."""
    return any(request.startswith(b"POST /users ") for request in users.requests)


async def end_lease(admin: asyncpg.Connection, key: str) -> None:
    """Let its time pass."""
    await admin.execute("update kept_answers set leased_until = now() where key = $1", key)


async def leased(admin: asyncpg.Connection, key: str) -> bool:
    """Whether somebody is known to be at work for the key."""
    return bool(await admin.fetchval("select leased_until > now() from kept_answers where key = $1", key))


async def cut_off(admin: asyncpg.Connection) -> bool:
    """End the connection of whoever waits to renew a key; whether somebody did."""
    return bool(
        await admin.fetch(
            """
            select pg_terminate_backend(pid) from pg_stat_activity
            where wait_event_type = 'Lock' and query like '%update kept_answers k set leased_until%'
            """
        )
    )


@asynccontextmanager
async def held_back(database_url: str, key: str) -> AsyncIterator[None]:
    """For as long as the block runs, nobody can write what is known of the key."""
    other = await asyncpg.connect(database_url, server_settings={"search_path": "gateway"})
    try:
        async with other.transaction():
            await other.execute("select from kept_answers where key = $1 for update", key)
            yield
    finally:
        await other.close()


@asynccontextmanager
async def renewals_refused(admin: asyncpg.Connection) -> AsyncIterator[None]:
    """For as long as the block runs, the database has a fault for whoever renews a key."""
    # What a sequence has counted stays counted when its transaction fails.
    await admin.execute(
        """
        create sequence refusals;
        create function refuse_renewals() returns trigger security definer set search_path from current as $$
        begin
            perform nextval('refusals');
            raise exception 'no renewal';
        end
        $$ language plpgsql;
        create trigger refuse_renewals before update of leased_until on kept_answers
        for each row execute function refuse_renewals();
        """
    )
    try:
        yield
    finally:
        await admin.execute("drop function refuse_renewals cascade; drop sequence refusals")


async def is_refused(admin: asyncpg.Connection) -> bool:
    """Whether somebody has met the fault."""
    return bool(await admin.fetchval("select is_called from refusals"))


async def test_a_long_one_keeps_its_key(
    write: Write,
    open_gateway: OpenGateway,
    gateway: httpx.AsyncClient,
    new_key: str,
    admin: asyncpg.Connection,
) -> None:
    """Work that outlasts a lease stays the only one: the others hear that it runs, and then its answer."""
    done = http(201, '{"id": "long"}', Content_Type="application/json")
    async with (
        answering(done) as slow,
        open_gateway(users_url=slow.url, idempotency_lease_seconds=8) as first,
    ):
        slow.speak.clear()
        running = asyncio.create_task(write(new_key, "/v1/users", json=PERSON, through=first))
        await eventually(lambda: was_asked(slow))
        await end_lease(admin, new_key)
        await eventually(lambda: leased(admin, new_key))
        meanwhile = [await write(new_key, "/v1/users", json=PERSON, through=one) for one in (first, gateway)]
        slow.speak.set()
        answer = await running
        again = await write(new_key, "/v1/users", json=PERSON)
    assert {told(one) for one in meanwhile} == {(409, "idempotency_in_progress")}
    assert (answer.status_code, is_replay(answer)) == (201, False)
    assert (again.content, is_replay(again)) == (answer.content, True)
    assert sum(request.startswith(b"POST /users ") for request in slow.requests) == 1


async def test_a_database_that_is_away_stops_no_work(
    write: Write, open_gateway: OpenGateway, new_key: str, world: World, admin: asyncpg.Connection
) -> None:
    """While its key cannot be renewed the work goes on, and its answer is kept once that is possible."""
    done = http(201, '{"id": "kept"}', Content_Type="application/json")
    async with (
        answering(done) as slow,
        open_gateway(users_url=slow.url, idempotency_lease_seconds=1) as first,
    ):
        slow.speak.clear()
        running = asyncio.create_task(write(new_key, "/v1/users", json=PERSON, through=first))
        await eventually(lambda: was_asked(slow))
        async with held_back(world.database_url, new_key):
            await eventually(lambda: cut_off(admin))
        slow.speak.set()
        answer = await running
        again = await write(new_key, "/v1/users", json=PERSON)
    assert (answer.status_code, is_replay(answer)) == (201, False)
    assert (again.content, is_replay(again)) == (answer.content, True)


async def test_a_renewal_that_fails_is_not_the_last(
    write: Write, open_gateway: OpenGateway, new_key: str, admin: asyncpg.Connection
) -> None:
    """Whatever the reason that a key cannot be renewed, it is tried again."""
    done = http(201, '{"id": "renewed"}', Content_Type="application/json")
    async with (
        answering(done) as slow,
        open_gateway(users_url=slow.url, idempotency_lease_seconds=1) as first,
    ):
        slow.speak.clear()
        running = asyncio.create_task(write(new_key, "/v1/users", json=PERSON, through=first))
        await eventually(lambda: was_asked(slow))
        async with renewals_refused(admin):
            await eventually(lambda: is_refused(admin))
        await end_lease(admin, new_key)
        await eventually(lambda: leased(admin, new_key))
        slow.speak.set()
        assert (await running).status_code == 201


async def test_a_lost_key_is_left_to_its_new_holder(
    write: Write, open_gateway: OpenGateway, new_key: str, admin: asyncpg.Connection
) -> None:
    """Who lost the key all the same answers its own caller, and neither renews nor answers for the other."""
    async with (
        answering(http(201, '{"id": "late"}', Content_Type="application/json")) as slow,
        open_gateway(users_url=slow.url, idempotency_lease_seconds=3600) as first,
    ):
        slow.speak.clear()
        running = asyncio.create_task(write(new_key, "/v1/users", json=PERSON, through=first))
        await eventually(lambda: was_asked(slow))
        await end_lease(admin, new_key)
        second = await write(new_key, "/v1/users", json=PERSON)
        slow.speak.set()
        late = await running
        again = await write(new_key, "/v1/users", json=PERSON)
    assert (second.status_code, late.status_code) == (201, 201)
    assert (again.content, is_replay(again)) == (second.content, True)


async def test_while_the_first_is_running(
    write: Write, open_gateway: OpenGateway, gateway: httpx.AsyncClient, new_key: str
) -> None:
    """The same request meanwhile is told to come again, at every gateway; another one that it is another."""
    done = http(201, '{"id": "first"}', Content_Type="application/json")
    async with answering(done) as slow, open_gateway(users_url=slow.url) as first:
        slow.speak.clear()
        running = asyncio.create_task(write(new_key, "/v1/users", json=PERSON, through=first))
        await eventually(lambda: was_asked(slow))
        same = [await write(new_key, "/v1/users", json=PERSON, through=one) for one in (first, gateway)]
        other = await write(new_key, "/v1/users", json={"name": "Grace"})
        slow.speak.set()
        await running
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
