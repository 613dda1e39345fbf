"""Who is erased in the user service has no history in the gateway."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import httpx

from gateway.conftest import NewBody, OpenGateway
from gateway.data_life.conftest import Opened
from gateway.data_life.stored import HABIT, Stored, days_ago, storing
from support.polling import eventually
from support.ports import free_port
from support.postgres import PostgresNode
from support.servers import create_database, provision
from support.serving import serving
from support.world import World, fresh_address
from tidings.kit.database import migrate
from tidings.kit.ids import now


async def erased(stored: Stored, user_id: str) -> bool:
    """Whether the history of a person is gone, as far as the audit log says."""
    return user_id in await stored.actions("user_history.erased")


async def erase(world: World, user_id: str) -> None:
    answer = await world.users.http.delete(f"/users/{user_id}")
    assert answer.status_code == 204


async def read(gateway: httpx.AsyncClient, notification_id: object) -> dict[str, object]:
    found: dict[str, object] = (await gateway.get(f"/v1/notifications/{notification_id}")).json()
    return found


async def test_an_erased_person_has_no_history(opened: Opened, stored: Stored, world: World) -> None:
    """What is settled says neither what it said nor to whom, and is in no list of the person's."""
    user_id = await world.add_user(email=fresh_address())
    ids = [await stored.notification(days_ago(1), user_id=written) for written in (user_id, user_id.upper())]
    letter_id = await stored.dead_letter(days_ago(1), ids[0])
    other = await stored.notification(days_ago(1), user_id="another")
    async with opened(erasure_seconds=0.05) as gateway:
        await erase(world, user_id)
        await eventually(lambda: erased(stored, user_id))
        found = [await read(gateway, one) for one in (*ids, other)]
        listed = (await gateway.get("/v1/notifications", params={"user_id": user_id})).json()
        letter = (await gateway.get(f"/v1/dead-letters/{letter_id}")).json()
    assert [one["user_id"] for one in found] == ["erased", "erased", "another"]
    assert [one["metadata"] for one in found] == [{}, {}, {"order": "Gutenberg"}]
    assert listed["notifications"] == []
    assert (letter["user_id"], letter["message"]["user_id"], letter["cause"]) == ("erased", "erased", "")
    assert await stored.secrets() == {"notifications": 1, "events": 1, "attachments": 1}
    traces = await stored.connection.fetch(
        "select trace::text from events order by notification_id = $1", other
    )
    steps = '["quiet_hours", "passed"'
    assert [row["trace"] for row in traces] == [f"[{steps}]]"] * 2 + [f'[{steps}, "{HABIT}"]]']


async def test_what_waits_is_cancelled(
    opened: Opened, stored: Stored, world: World, new_body: NewBody
) -> None:
    """A notification for later is not sent any more, and says why."""
    user_id = await world.add_user(email=fresh_address())
    later = (now() + timedelta(days=3)).isoformat()
    async with opened(erasure_seconds=0.05) as gateway:
        taken = await gateway.post("/v1/notifications", json=new_body(user_id=user_id, send_at=later))
        await erase(world, user_id)
        await eventually(lambda: erased(stored, user_id))
        found = await read(gateway, taken.json()["id"])
    assert (found["status"], found["reason"], found["user_id"]) == ("cancelled", "user_erased", "erased")
    assert not await stored.connection.fetchval(
        "select count(*) from notifications where dispatch_at > now()"
    )


async def test_what_is_under_way_is_redacted_when_it_is_over(
    opened: Opened, stored: Stored, world: World
) -> None:
    """Until then it keeps what a worker needs to end it."""
    user_id = await world.add_user(email=fresh_address())
    waiting = await stored.notification(days_ago(1), user_id=user_id, status="retrying")
    async with opened(erasure_seconds=0.05) as gateway:
        await erase(world, user_id)
        await eventually(lambda: erased(stored, user_id))
        before = await read(gateway, waiting)
        await stored.connection.execute("update notifications set status = 'failed' where id = $1", waiting)
        await eventually(lambda: _is_nobodys(gateway, waiting))
    assert (before["status"], before["user_id"]) == ("retrying", user_id)
    assert not await stored.secrets()


async def test_two_gateways_apply_an_erasure_once(opened: Opened, stored: Stored, world: World) -> None:
    """A long history is shared among them, and noted once."""
    user_id = await world.add_user(email=fresh_address())
    for _ in range(450):
        await stored.notification(days_ago(1), user_id=user_id)
    async with AsyncExitStack() as stack:
        opening = (stack.enter_async_context(opened(erasure_seconds=0.05)) for _ in range(2))
        await asyncio.gather(*opening)
        await erase(world, user_id)
        await eventually(lambda: erased(stored, user_id))
    assert (await stored.actions("user_history.erased")).count(user_id) == 1
    assert not await stored.secrets()


async def test_an_erasure_waits_for_the_user_service(opened: Opened, stored: Stored, world: World) -> None:
    """While nobody answers, the gateway works; it hears of erasures as soon as somebody does."""
    user_id = await world.add_user(email=fresh_address())
    await stored.notification(days_ago(1), user_id=user_id)
    await erase(world, user_id)
    port = free_port()
    async with opened(erasure_seconds=0.05, users_url=f"http://127.0.0.1:{port}") as gateway:
        assert (await gateway.get("/v1/notifications")).status_code == 200
        assert await stored.secrets()
        async with serving(world.users.app, port):
            await eventually(lambda: erased(stored, user_id))
    assert not await stored.secrets()


async def test_an_erasure_outlives_a_restart_of_postgresql(open_gateway: OpenGateway, world: World) -> None:
    """What was erased while the gateway's database was away is gone once it is back."""
    node = PostgresNode()
    node.start()
    try:
        database_url = await create_database(node.admin_dsn)
        url = await provision(database_url, "gateway")
        await migrate(url, schema="gateway", package="tidings.gateway")
        user_id = await world.add_user(email=fresh_address())
        async with storing(database_url) as stored:
            await stored.notification(days_ago(1), user_id=user_id)
        async with open_gateway(database_url=url, erasure_seconds=0.05):
            node.stop()
            await erase(world, user_id)
            node.start()
            async with storing(database_url) as stored:
                await eventually(lambda: erased(stored, user_id))
                assert not await stored.secrets()
    finally:
        node.remove()


async def _is_nobodys(gateway: httpx.AsyncClient, notification_id: object) -> bool:
    return (await read(gateway, notification_id))["user_id"] == "erased"
