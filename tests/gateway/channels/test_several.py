"""One request on several channels: a notification on each, made together or not at all."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from gateway.conftest import NewBody, OpenGateway
from gateway.keys import add_key
from gateway.queues import taking
from gateway.test_refusals import assert_problem
from support.polling import eventually
from support.servers import PATIENCE
from support.world import World
from tidings.kit.ids import now

FILE = {"filename": "note.txt", "content": "VGhhbmsgeW91IQo="}
BOTH = {"name": "Ada", "link": "https://example.com"}


async def post(gateway: httpx.AsyncClient, body: Mapping[str, Any]) -> dict[str, Any]:
    answer = await gateway.post("/v1/notifications", json=body)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def read(gateway: httpx.AsyncClient, notification_id: str) -> dict[str, Any]:
    return dict((await gateway.get(f"/v1/notifications/{notification_id}")).json())


async def test_on_two_channels_at_once(gateway: httpx.AsyncClient, world: World, new_body: NewBody) -> None:
    """Both notifications go to their queues, each with its own id, channel and form, and one group."""
    body = new_body(channel="push", also=["email"], variables=BOTH)
    async with (
        taking(world.broker_url, "email.queue") as emails,
        taking(world.broker_url, "push.queue") as pushes,
    ):
        accepted = await post(gateway, body)
        (other,) = accepted["others"]
        await eventually(lambda: bool(pushes.of(accepted["id"]) and emails.of(other["id"])))
    assert (other["channel"], other["status"]) == ("email", "accepted")
    first, second = [await read(gateway, one) for one in (accepted["id"], other["id"])]
    assert (first["channel"], second["channel"]) == ("push", "email")
    assert first["group_id"] == second["group_id"] == accepted["id"]
    assert first["request_id"] == second["request_id"] == body["request_id"]
    found = (await gateway.get("/v1/notifications", params={"group_id": accepted["id"]})).json()
    assert {one["id"] for one in found["notifications"]} == {accepted["id"], other["id"]}


async def test_one_channel_has_no_group(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """A request for one channel is answered without `others`, and its notification has no group."""
    accepted = await post(gateway, new_body())
    assert set(accepted) == {"id", "request_id", "status", "accepted_at"}
    found = await read(gateway, accepted["id"])
    assert (found["group_id"], found["fallback_of"], found["fallback_id"]) == (None, None, None)


@pytest.mark.parametrize("more", [{"also": ["email"]}, {"fallback": {"channel": "email"}}])
async def test_a_repeat_names_the_same_others(
    gateway: httpx.AsyncClient, second_gateway: httpx.AsyncClient, new_body: NewBody, more: dict[str, Any]
) -> None:
    """Forty concurrent requests with one key, at two gateways, are answered alike, and there are two rows."""
    body = new_body(channel="push", variables=BOTH, **more)
    answers = await asyncio.gather(
        *(
            which.post("/v1/notifications", json=body)
            for _ in range(20)
            for which in (gateway, second_gateway)
        )
    )
    first = answers[0].json()
    assert {answer.status_code for answer in answers} == {202}
    assert all(answer.json() == first for answer in answers)
    found = (await gateway.get("/v1/notifications", params={"request_id": body["request_id"]})).json()
    assert {one["id"] for one in found["notifications"]} == {first["id"], first["others"][0]["id"]}


async def test_email_options_go_with_the_email(
    gateway: httpx.AsyncClient, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """Files and options of a push that is also an email, or has one as fallback, are the email's alone."""
    for more in ({"also": ["email"]}, {"fallback": {"channel": "email"}}):
        email = {"reply_to": "shop@example.com", "attachments": [FILE]}
        accepted = await post(gateway, new_body(channel="push", variables=BOTH, email=email, **more))
        other = accepted["others"][0]["id"]
        options = await admin.fetch(
            "select id, message -> 'email' ->> 'reply_to' as reply_to from notifications where group_id = $1",
            UUID(accepted["id"]),
        )
        assert {str(row["id"]): row["reply_to"] for row in options} == {
            accepted["id"]: None,
            other: "shop@example.com",
        }
        owners = await admin.fetch(
            "select notification_id from attachments where notification_id = any($1::uuid[])",
            [UUID(accepted["id"]), UUID(other)],
        )
        assert [str(row["notification_id"]) for row in owners] == [other]


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"channel": "push", "also": ["push"]}, "repeated_channel", "$.also[0]"),
        ({"channel": "push", "fallback": {"channel": "push"}}, "repeated_channel", "$.fallback.channel"),
        (
            {"channel": "push", "also": ["email"], "fallback": {"channel": "email"}},
            "repeated_channel",
            "$.fallback.channel",
        ),
        ({"also": []}, "invalid_request", "$.also"),
        (
            {"fallback": {"channel": "push", "after_seconds": 9}},
            "invalid_request",
            "$.fallback.after_seconds",
        ),
        ({"fallback": {"channel": "push", "unless": "read"}}, "invalid_request", "$.fallback.unless"),
        ({"also": ["push"]}, "missing_variable", "$.variables.link"),
        ({"fallback": {"channel": "push"}}, "missing_variable", "$.variables.link"),
    ],
)
async def test_refused_as_a_whole(
    gateway: httpx.AsyncClient, new_body: NewBody, changed: dict[str, Any], code: str, field: str
) -> None:
    """What one of the channels cannot send is refused for all of them, and the field is named."""
    body = new_body(**changed)
    answer = await gateway.post("/v1/notifications", json=body)
    assert_problem(answer, 422, code, field)
    found = (await gateway.get("/v1/notifications", params={"request_id": body["request_id"]})).json()
    assert found["notifications"] == []


async def test_a_template_without_the_other_form(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody
) -> None:
    """A template that lacks the form of a further channel is refused, naming who asked for that channel."""
    template_id = await world.add_template("emails-only", {"email": {"subject": "s", "text": "t"}})
    for more, field in (
        ({"also": ["push"]}, "$.also[0]"),
        ({"fallback": {"channel": "push"}}, "$.fallback.channel"),
    ):
        answer = await gateway.post("/v1/notifications", json=new_body(template_id=template_id, **more))
        assert_problem(answer, 422, "template_lacks_channel", field)


async def test_an_expiry_before_the_fallback(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """A fallback that would be due only when it has expired is refused: it could never be sent."""
    moment = now() + timedelta(days=30)
    sent = {"send_at": moment.isoformat(), "fallback": {"channel": "push", "after_seconds": 600}}
    expires_at = (moment + timedelta(seconds=600)).isoformat()
    answer = await gateway.post(
        "/v1/notifications", json=new_body(variables=BOTH, expires_at=expires_at, **sent)
    )
    assert_problem(answer, 422, "expires_before_fallback", "$.fallback.after_seconds")
    expires_at = (moment + timedelta(seconds=601)).isoformat()
    accepted = await post(gateway, new_body(variables=BOTH, expires_at=expires_at, **sent))
    fallback = await read(gateway, accepted["others"][0]["id"])
    assert datetime.fromisoformat(fallback["send_at"]) == moment + timedelta(seconds=600)
    assert fallback["fallback_of"] == accepted["id"]
    assert (await read(gateway, accepted["id"]))["fallback_id"] == fallback["id"]


async def test_in_batches(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """Items and defaults take further channels, and each item names its own others."""
    items = [
        new_body(channel=None),
        new_body(channel=None, fallback={"channel": "email", "after_seconds": 60}) | {"also": None},
    ]
    defaults = {"channel": "push", "also": ["email"], "variables": BOTH}
    answer = await gateway.post(
        "/v1/notifications/batch", json={"defaults": defaults, "notifications": items}
    )
    one, other = answer.json()["items"]
    assert [beside["status"] for beside in one["others"]] == ["accepted"]
    assert [beside["status"] for beside in other["others"]] == ["scheduled"]


async def test_each_counts_against_limits(
    world: World, open_gateway: OpenGateway, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """A request on two channels counts twice for its key, and is refused whole when only one still fits."""
    limiting = {"cache_url": world.cache_url, "limit_patience": PATIENCE, "limit_notifications_per_day": 3}
    body = new_body(variables=BOTH, also=["push"])
    async with open_gateway(**limiting) as gateway:
        gateway.headers["Authorization"] = f"Bearer {await add_key(admin, '*')}"
        await post(gateway, body)
        again = await gateway.post("/v1/notifications", json=body)
        refused = await gateway.post("/v1/notifications", json=new_body(variables=BOTH, also=["push"]))
        single = await gateway.post("/v1/notifications", json=new_body())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert_problem(refused, 429, "rate_limited")
    assert single.status_code == 202
