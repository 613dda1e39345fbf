"""Endpoints that fail, are slow, or are gone."""

import signal
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest
from aiohttp import web

from gateway.callbacks.conftest import SCOPES, Caller, Hooks, OpenDesk
from gateway.conftest import NewBody
from gateway.keys import add_key
from support.polling import eventually
from support.ports import free_port
from support.servers import PATIENCE
from support.serving import service_process
from tidings.contracts.queues import topology
from tidings.gateway.app import open_app
from tidings.kit.broker import open_broker


async def test_what_failed_is_tried_again(caller: Caller, hooks: Hooks) -> None:
    """The same event comes again with the same id, and each attempt is kept with what was answered."""
    hook = hooks.new()
    hook.answers = [
        web.Response(status=500, text="oops\0"),
        web.Response(status=302, headers={"Location": hook.url}),
    ]
    endpoint = await caller.add(hook)
    await caller.sent()
    await hook.wait_for(3)
    assert len(set(hook.ids)) == 1
    assert len(hook.verified(endpoint["secret"])) == 3

    async def done() -> bool:
        (delivery,) = await caller.deliveries(endpoint)
        return bool(delivery["status"] == "delivered")

    await eventually(done)
    (delivery,) = await caller.deliveries(endpoint)
    first, second, third = delivery["attempts"]
    assert (first["status_code"], first["answer"], first["error"]) == (500, "oops", "It answered 500")
    assert "redirects" in second["error"]
    assert (third["status_code"], third["error"]) == (200, None)


async def test_the_last_attempt_is_the_last(caller: Caller, hooks: Hooks) -> None:
    """After the last wait the event is failed, and `recover` sends it again."""
    hook = hooks.new()
    hook.usually = 503
    endpoint = await caller.add(hook)
    await caller.sent()

    async def failed() -> bool:
        return len(await caller.deliveries(endpoint, status="failed")) == 1

    await eventually(failed)
    assert len(hook.got) == 4
    hook.usually = 200
    assert await caller.ask(endpoint, "recover", since=endpoint["created_at"]) == {
        "recovered": 1,
        "more": False,
    }
    await hook.wait_for(5)
    assert len(set(hook.ids)) == 1
    assert await caller.ask(endpoint, "recover", since=endpoint["created_at"]) == {
        "recovered": 0,
        "more": False,
    }


async def test_gone_is_for_good(caller: Caller, hooks: Hooks) -> None:
    """An endpoint that answers 410 is disabled at once, and the owner's other endpoint is told."""
    hook, other = hooks.new(), hooks.new()
    hook.usually = 410
    endpoint = await caller.add(hook, events=["notification.sent"])
    await caller.add(other, events=["callback_endpoint.disabled"])
    await caller.sent()
    await other.wait_for(1)

    (news,) = other.events
    assert news["data"]["id"] == endpoint["id"]
    found = await caller.read(endpoint)
    assert (found["status"], found["status_because"]) == ("disabled", "It answered 410 Gone")
    assert len(hook.got) == 1


async def test_a_slow_endpoint_holds_up_no_other(caller: Caller, hooks: Hooks) -> None:
    """While one endpoint answers nothing, the other gets everything."""
    slow, quick = hooks.new(), hooks.new()
    slow.close()
    await caller.add(slow)
    await caller.add(quick)
    await caller.sent(40)
    await quick.wait_for(40)
    assert len(slow.got) <= 16
    slow.opened.set()
    await slow.wait_for(40)
    assert len(set(slow.ids)) == 40


async def test_a_dead_endpoint_rests(open_desk: OpenDesk, hooks: Hooks) -> None:
    """After failures in a row nothing is posted for a while, and the events that wait lose no attempt."""
    dead, works = hooks.new(), hooks.new()
    dead.usually = 500
    async with (
        open_desk(callback_rest_seconds=3600, callback_retry_delays=(3600,)) as desk,
        desk.caller() as caller,
    ):
        endpoint = await caller.add(dead)
        await caller.sent(5)

        async def rests() -> bool:
            return bool((await caller.read(endpoint))["failures"] == 5)

        await eventually(rests)
        dead.usually = 200
        await caller.add(works)
        await caller.sent(3)
        await works.wait_for(3)
        assert [bool(one["attempts"]) for one in await caller.deliveries(endpoint)] == [True] * 5 + [
            False
        ] * 3
        await caller.ask(endpoint, "resume")
        await dead.wait_for(8)


async def test_failing_for_long_suspends(open_desk: OpenDesk, hooks: Hooks) -> None:
    """A suspended endpoint gets nothing, its owner is told, and what it missed can be recovered."""
    hook, other = hooks.new(), hooks.new()
    hook.usually = 500
    async with open_desk(callback_suspend_hours=1 / 3600 / 5) as desk, desk.caller() as caller:
        endpoint = await caller.add(hook, events=["notification.sent"])
        await caller.add(other, events=["callback_endpoint.suspended"])
        await caller.sent(2)
        await other.wait_for(1)
        found = await caller.read(endpoint)
        assert found["status"] == "suspended"
        assert "It answered 500" in found["status_because"]
        (action,) = await desk.admin.fetch(
            "select actor from audit_log where action = 'callback_endpoint.suspended' and subject = $1",
            endpoint["id"],
        )
        assert action["actor"] == "gateway"

        await caller.sent()

        async def missed() -> bool:
            return len(await caller.deliveries(endpoint, status="missed")) == 1

        await eventually(missed)
        path = f"/v1/callback-endpoints/{endpoint['id']}"
        refused = await caller.http.post(f"{path}/recover", json={"since": endpoint["created_at"]})
        assert (refused.status_code, refused.json()["code"]) == (409, "callback_endpoint_stopped")
        hook.usually = 200
        assert (await caller.ask(endpoint, "resume"))["status"] == "active"
        recovered = await caller.ask(endpoint, "recover", since=endpoint["created_at"])
        assert recovered["recovered"] >= 1
        await eventually(lambda: len(set(hook.ids)) == 3)


@pytest.mark.parametrize(("asked", "waits"), [("700", 700), ("0", 500), ("86400", 1000)])
async def test_an_endpoint_may_ask_for_up_to_twice_the_wait(
    open_desk: OpenDesk, hooks: Hooks, asked: str, waits: int
) -> None:
    """`Retry-After` is kept, between once and twice the usual wait."""
    hook = hooks.new()
    hook.answers = [web.Response(status=429, headers={"Retry-After": asked})]
    async with open_desk(callback_retry_delays=(500,)) as desk, desk.caller() as caller:
        endpoint = await caller.add(hook)
        await caller.sent()

        async def tried() -> bool:
            return any(one["attempts"] for one in await caller.deliveries(endpoint))

        await eventually(tried)
        row = await desk.admin.fetchrow("select due_at, log from callback_deliveries")
        assert row is not None
        at = await desk.admin.fetchval("select ($1::jsonb->0->>'at')::timestamptz", row["log"])
        assert (row["due_at"] - at).total_seconds() == waits


async def test_two_gateways_share_the_work(open_desk: OpenDesk, hooks: Hooks) -> None:
    """Together they keep to an endpoint's window, and post every event once."""
    hook = hooks.new()
    hook.close()
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(open_desk())
        caller = await stack.enter_async_context(desk.caller())
        endpoint = await caller.add(hook)
        await stack.enter_async_context(open_app(desk.settings))
        await caller.sent(40)

        async def written_down() -> bool:
            return len(await caller.deliveries(endpoint)) == 40

        await eventually(written_down)
        await hook.wait_for(16)
        assert len(hook.got) == 16
        hook.opened.set()
        await eventually(lambda: len(set(hook.ids)) == 40)
        assert len(hook.ids) == 40


async def test_a_gateway_killed_while_it_posts(open_desk: OpenDesk, hooks: Hooks, new_body: NewBody) -> None:
    """What a killed gateway had taken off the queue is posted by the next one, with the same id."""
    hook = hooks.new()
    async with open_desk() as desk:
        key = await add_key(desk.admin, *SCOPES)
        settings = msgspec.structs.replace(desk.settings, port=free_port())
    hook.close()
    async with service_process("gateway", settings) as process:
        base, headers = f"http://127.0.0.1:{settings.port}", {"Authorization": f"Bearer {key}"}
        async with (
            httpx.AsyncClient(base_url=base, headers=headers, timeout=PATIENCE) as http,
            open_broker(settings.broker_url, topology(), publish_limit=PATIENCE) as broker,
        ):
            caller = Caller(http, broker, new_body)
            await caller.add(hook)
            await caller.sent()
            await hook.wait_for(1)
        await process.end(signal.SIGKILL)
    hook.opened.set()
    async with service_process("gateway", settings):
        await hook.wait_for(2)
    assert len(set(hook.ids)) == 1
