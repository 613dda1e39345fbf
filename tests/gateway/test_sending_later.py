"""Notifications for later: accepted now, sent at their moment."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from gateway.conftest import NewBody, OpenGateway
from gateway.queues import taking
from gateway.test_outages import schema_of
from support.polling import eventually
from support.ports import free_port
from support.servers import create_database, provision
from support.world import World, fresh_address
from tidings.contracts.codes import Channel, Priority
from tidings.contracts.queues import work_queue

DAY = timedelta(days=1)


async def accepted(gateway: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request that is taken."""
    answer = await gateway.post("/v1/notifications", json=body)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def read(gateway: httpx.AsyncClient, notification_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await gateway.get(f"/v1/notifications/{notification_id}")).json()
    return found


def in_a_while(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()


async def test_it_waits_for_its_moment(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """Until it is due it is `scheduled`: in the answer, when it is read, in a search and in its timeline."""
    send_at = in_a_while(hours=3)
    answer = await accepted(gateway, body := new_body(send_at=send_at))
    assert answer["status"] == "scheduled"
    found = await read(gateway, answer["id"])
    assert (found["status"], found["settled"]) == ("scheduled", False)
    assert datetime.fromisoformat(found["send_at"]) == datetime.fromisoformat(send_at)
    steps = [(step["status"], step["next_attempt_at"]) for step in found["timeline"]]
    assert steps == [("accepted", None), ("scheduled", found["send_at"])]
    query = {"status": "scheduled", "request_id": body["request_id"]}
    page = (await gateway.get("/v1/notifications", params=query)).json()
    assert [one["id"] for one in page["notifications"]] == [answer["id"]]
    assert page["notifications"][0]["send_at"] == found["send_at"]


async def test_it_leaves_at_its_moment(
    open_gateway: OpenGateway, world: World, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """When it is due it is queued, once, with the template version of its acceptance."""
    async with open_gateway() as gateway, open_gateway(), taking(world.broker_url, "email.queue") as taken:
        answer = await accepted(gateway, new_body(send_at=in_a_while(hours=1)))
        assert answer["status"] == "scheduled"
        send_at = await bring_forward(admin, answer["id"])
        await eventually(lambda: answer["id"] in taken.ids)
        await eventually(lambda: is_queued(admin, answer["id"]))
        found = await read(gateway, answer["id"])
    assert taken.ids[answer["id"]] == 1
    assert found["template_version"] == 1
    queued = next(step["at"] for step in found["timeline"] if step["status"] == "queued")
    assert datetime.fromisoformat(queued) >= send_at


async def bring_forward(admin: asyncpg.Connection, notification_id: str) -> datetime:
    """Let it be due in half a second, and return when that is: asked for, it might pass before the answer."""
    due: datetime = await admin.fetchval(
        """
        update notifications set send_at = soon, dispatch_at = soon
        from (select now() + interval '0.5 s' as soon) as clock where id = $1 returning send_at
        """,
        UUID(notification_id),
    )
    return due


async def is_queued(admin: asyncpg.Connection, notification_id: str) -> bool:
    found = "select status = 'queued' from notifications where id = $1"
    return bool(await admin.fetchval(found, notification_id))


async def test_a_moment_that_has_passed_is_now(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """What should have been sent already is sent at once, whichever way its moment was given."""
    for given in ({"send_at": in_a_while(minutes=-1)}, {"send_at_local": "2020-01-31T09:00:00"}):
        assert (await accepted(gateway, new_body(**given)))["status"] == "accepted"


async def test_a_repeated_request_is_still_scheduled(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """The same request again gets the first answer again."""
    body = new_body(send_at=in_a_while(hours=1))
    assert await accepted(gateway, body) == await accepted(gateway, body)


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"send_at": "2027-01-31T09:00:00"}, "naive_time", "$.send_at"),
        ({"send_at": "9999-12-31T23:59:59-12:00"}, "too_far_ahead", "$.send_at"),
        ({"send_at": in_a_while(days=367)}, "too_far_ahead", "$.send_at"),
        ({"send_at_local": "9999-12-31T23:59:59"}, "too_far_ahead", "$.send_at_local"),
        ({"send_at_local": "2027-01-31T09:00:00Z"}, "invalid_request", "$.send_at_local"),
        (
            {"send_at": in_a_while(days=2), "expires_at": in_a_while(days=1)},
            "expires_before_sending",
            "$.expires_at",
        ),
        (
            {"send_at": in_a_while(days=2), "send_at_local": "2027-01-31T09:00:00"},
            "invalid_request",
            "$.send_at_local",
        ),
    ],
)
async def test_moments_that_are_refused(
    gateway: httpx.AsyncClient, new_body: NewBody, changed: dict[str, str], code: str, field: str
) -> None:
    """A moment without an offset, too far ahead, given twice or after the expiry is refused, and why."""
    answer = await gateway.post("/v1/notifications", json=new_body(**changed))
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(("zone", "hours"), [("Asia/Tokyo", -9), ("America/Bogota", 5), (None, 0)])
async def test_the_recipients_clock(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody, zone: str | None, hours: int
) -> None:
    """`send_at_local` is the time of day where the recipient lives; where that is not known, in UTC."""
    user_id = await world.add_user(email=fresh_address(), time_zone=zone)
    wall = (datetime.now(UTC) + 7 * DAY).replace(tzinfo=None, microsecond=0)
    answer = await accepted(gateway, new_body(user_id=user_id, send_at_local=wall.isoformat()))
    found = await read(gateway, answer["id"])
    moment = wall.replace(tzinfo=UTC) + timedelta(hours=hours)
    assert datetime.fromisoformat(found["send_at"]) == moment


async def test_an_unknown_clock(open_gateway: OpenGateway, new_body: NewBody) -> None:
    """While nobody knows the recipient's time zone, what depends on it is not taken."""
    async with open_gateway(users_url=f"http://127.0.0.1:{free_port()}") as gateway:
        body = new_body(send_at_local=in_a_while(days=3)[:19])
        answer = await gateway.post("/v1/notifications", json=body)
        assert (answer.status_code, answer.json()["code"]) == (503, "users_unavailable")
        assert "Retry-After" in answer.headers
        await accepted(gateway, new_body(send_at=in_a_while(days=3)))


async def test_a_batch_for_later(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """A batch has one moment for all, or each notification its own."""
    own, common = in_a_while(hours=1), in_a_while(hours=2)
    batch = {"defaults": {"send_at": common}, "notifications": [new_body(send_at=own), new_body()]}
    answer = (await gateway.post("/v1/notifications/batch", json=batch)).json()
    assert [item["status"] for item in answer["items"]] == ["scheduled", "scheduled"]
    moments = [(await read(gateway, item["id"]))["send_at"] for item in answer["items"]]
    assert [datetime.fromisoformat(one) for one in moments] == [
        datetime.fromisoformat(one) for one in (own, common)
    ]


async def test_many_that_are_due_at_once(
    *,
    open_gateway: OpenGateway,
    world: World,
    gateway: httpx.AsyncClient,
    new_body: NewBody,
    admin: asyncpg.Connection,
) -> None:
    """Two gateways share what is due at one moment: each notification leaves once, whatever its priority."""
    send_at = in_a_while(hours=1)
    queues = [work_queue(Channel.EMAIL, priority) for priority in Priority]
    items = [new_body(send_at=send_at, priority=priority) for priority in Priority for _ in range(400)]
    answers = [
        (await gateway.post("/v1/notifications/batch", json={"notifications": items[start : start + 600]}))
        for start in (0, 600)
    ]
    ids = {item["id"] for answer in answers for item in answer.json()["items"]}
    assert len(ids) == 1_200
    async with (
        open_gateway(),
        taking(world.broker_url, queues[0]) as critical,
        taking(world.broker_url, queues[1]) as normal,
        taking(world.broker_url, queues[2]) as bulk,
    ):
        lanes = (critical, normal, bulk)
        await admin.execute(
            "update notifications set send_at = now(), dispatch_at = now() where id = any($1::uuid[])",
            list(ids),
        )
        await eventually(lambda: ids <= {one for lane in lanes for one in lane.ids})
    assert {lane.ids[one] for lane in lanes for one in lane.ids if one in ids} == {1}


async def test_due_while_the_broker_is_away(
    open_gateway: OpenGateway, world: World, new_body: NewBody, postgres_admin_url: str
) -> None:
    """What cannot be handed over when it is due stays scheduled, and leaves once the broker is back."""
    own = await create_database(postgres_admin_url)
    url = await provision(own, "gateway")
    async with open_gateway(database_url=url, broker_url=f"amqp://127.0.0.1:{free_port()}/") as gateway:
        answer = await accepted(gateway, new_body(send_at=in_a_while(hours=1)))
        async with schema_of(own) as admin:
            await bring_forward(admin, answer["id"])
            await eventually(lambda: was_put_off(admin, answer["id"]))
    async with open_gateway(database_url=url), taking(world.broker_url, "email.queue") as taken:
        await eventually(lambda: answer["id"] in taken.ids, within=60)


async def was_put_off(admin: asyncpg.Connection, notification_id: str) -> bool:
    """Whether it is due again soon, and not only when a lease ends."""
    found = await admin.fetchval(
        """
        select status = 'scheduled' and dispatch_at > send_at and dispatch_at < send_at + interval '20 s'
        from notifications where id = $1
        """,
        UUID(notification_id),
    )
    return bool(found)
