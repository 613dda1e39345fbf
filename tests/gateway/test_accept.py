"""Taking a notification, finding it again, and its way to the channel's queue."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest

from gateway.conftest import NewBody, OpenGateway
from gateway.queues import taking
from support.polling import eventually
from support.ports import free_port
from support.world import World
from tidings.contracts.messages import DeliveryMessage

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_what_is_answered_is_committed(
    gateway: httpx.AsyncClient, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """202 names the place to look, and the row is there."""
    body = new_body()
    answer = await gateway.post("/v1/notifications", json=body)
    accepted = answer.json()

    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/v1/notifications/{accepted['id']}"
    assert "Idempotent-Replayed" not in answer.headers
    assert accepted["status"] == "accepted"
    assert accepted["request_id"] == body["request_id"]
    assert await admin.fetchval("select count(*) from notifications where id = $1", UUID(accepted["id"])) == 1


async def test_a_notification_shows_its_timeline(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """At its Location a notification is read with its state, and queued follows accepted."""
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    body = new_body(locale="pt-BR", priority="critical", metadata={"order": "7"}, expires_at=str(expires_at))
    accepted = await gateway.post("/v1/notifications", json=body)

    async def queued() -> bool:
        return bool((await gateway.get(accepted.headers["Location"])).json()["status"] == "queued")

    await eventually(queued)
    found = (await gateway.get(accepted.headers["Location"])).json()
    assert {
        name: found[name] for name in ("id", "channel", "user_id", "template_id", "locale", "priority")
    } == {
        "id": accepted.json()["id"],
        "channel": "email",
        "user_id": body["user_id"],
        "template_id": "welcome",
        "locale": "pt-BR",
        "priority": "critical",
    }
    assert (found["template_version"], found["settled"], found["metadata"]) == (1, False, {"order": "7"})
    assert datetime.fromisoformat(found["expires_at"]) == expires_at
    assert [step["status"] for step in found["timeline"]] == ["accepted", "queued"]


async def test_the_channel_gets_the_message(
    open_gateway: OpenGateway, world: World, new_body: NewBody
) -> None:
    """The queue of the channel gets the request whole, with the ids that let it be followed."""
    body = new_body(
        channel="push", variables={"name": "Ada", "link": "https://example.com", "more": [1, None]}
    )
    async with open_gateway() as gateway, taking(world.broker_url, "push.queue") as taken:
        headers = {"X-Correlation-ID": "order-7", "traceparent": TRACEPARENT}
        accepted = await gateway.post("/v1/notifications", json=body, headers=headers)
        await eventually(lambda: accepted.json()["id"] in taken.ids)
        delivery = taken.of(accepted.json()["id"])[0]

    message = msgspec.json.decode(delivery.message.body, type=DeliveryMessage)
    assert (str(message.notification_id), message.channel) == (accepted.json()["id"], "push")
    assert (message.variables, message.template_version) == (body["variables"], 1)
    assert delivery.message.headers["x-correlation-id"] == "order-7"
    assert delivery.message.headers["traceparent"].startswith(TRACEPARENT[:36])
    assert accepted.headers["X-Correlation-ID"] == "order-7"


async def test_many_requests_at_once_are_all_taken(
    gateway: httpx.AsyncClient, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """300 concurrent requests, which share transactions, are 300 notifications."""
    answers = await asyncio.gather(*(gateway.post("/v1/notifications", json=new_body()) for _ in range(300)))
    ids = [UUID(answer.json()["id"]) for answer in answers]
    assert {answer.status_code for answer in answers} == {202}
    assert await admin.fetchval("select count(*) from notifications where id = any($1)", ids) == 300


async def test_notifications_are_found_by_request_id(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """The request id finds the notification; one that nobody used finds none."""
    body = new_body()
    accepted = (await gateway.post("/v1/notifications", json=body)).json()
    found = await gateway.get("/v1/notifications", params={"request_id": body["request_id"]})
    none = await gateway.get("/v1/notifications", params={"request_id": "nobody used this"})
    assert [one["id"] for one in found.json()["notifications"]] == [accepted["id"]]
    assert none.json() == {"notifications": [], "next_cursor": None}


async def test_pages_follow_one_another(gateway: httpx.AsyncClient, new_body: NewBody) -> None:
    """Page after page, newest first, each notification comes once; the last page has no cursor."""
    shared = new_body()["request_id"]
    ids = []
    for number in range(5):
        headers = {"Idempotency-Key": f"{shared}-{number}"}
        answer = await gateway.post("/v1/notifications", json=new_body(request_id=shared), headers=headers)
        ids.append(answer.json()["id"])

    pages: list[list[str]] = []
    cursor: str | None = None
    while not pages or cursor:
        params = {"request_id": shared, "limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await gateway.get("/v1/notifications", params=params)).json()
        pages.append([one["id"] for one in page["notifications"]])
        cursor = page["next_cursor"]
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("cursor=not-ours", 400, "bad_cursor"),
        ("limit=0", 422, "invalid_request"),
        ("limit=201", 422, "invalid_request"),
        ("limit=many", 422, "invalid_request"),
    ],
)
async def test_a_page_that_cannot_be_is_refused(
    gateway: httpx.AsyncClient, query: str, status: int, code: str
) -> None:
    """A cursor we never gave and a limit out of range are named."""
    answer = await gateway.get(f"/v1/notifications?{query}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("unknown", ["0198c0de-0000-7000-8000-000000000000", "no-uuid"])
async def test_an_unknown_notification_is_not_found(gateway: httpx.AsyncClient, unknown: str) -> None:
    """An id that no notification has is a 404, whatever its form."""
    answer = await gateway.get(f"/v1/notifications/{unknown}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_notification")


@pytest.mark.parametrize("down", [["users_url"], ["templates_url"], ["users_url", "templates_url"]])
async def test_a_service_that_is_down_refuses_nothing(
    open_gateway: OpenGateway, new_body: NewBody, down: list[str]
) -> None:
    """Without the user or the template service requests are taken, and left to the worker to check."""
    async with open_gateway(**{name: f"http://127.0.0.1:{free_port()}" for name in down}) as gateway:
        unknown = {"users_url": {"user_id": "nobody"}, "templates_url": {"template_id": "nothing"}}
        changed = {field: value for name in down for field, value in unknown[name].items()}
        answer = await gateway.post("/v1/notifications", json=new_body(**changed))
    assert answer.status_code == 202, answer.text


async def test_a_new_template_version_is_checked_and_pinned(
    gateway: httpx.AsyncClient, world: World, new_body: NewBody
) -> None:
    """A notification keeps the version that was the newest when it was accepted."""
    template_id = await world.add_template("pinned", {"email": {"subject": "v1", "text": "v1"}})
    first = await gateway.post("/v1/notifications", json=new_body(template_id=template_id))
    content = {"content": {"en": {"email": {"subject": "v2 {{ code }}", "text": "v2"}}}}
    (await world.templates.http.put(f"/templates/{template_id}", json=content)).raise_for_status()

    async def refused() -> bool:
        answer = await gateway.post("/v1/notifications", json=new_body(template_id=template_id))
        return answer.status_code == 422 and answer.json()["code"] == "missing_variable"

    await eventually(refused)
    found = await gateway.get(first.headers["Location"])
    assert found.json()["template_version"] == 1


@pytest.mark.parametrize("levels", [50, 500, 900, 1_100, 5_000])
async def test_deep_variables(gateway: httpx.AsyncClient, new_body: NewBody, levels: int) -> None:
    """Deeply nested variables are taken, or refused as unreadable; no depth between is an error of ours."""
    deep = '{"a":' * levels + "1" + "}" * levels
    body = json.dumps(new_body()).replace('"Ada"', deep)
    headers = {"Content-Type": "application/json"}
    answer = await gateway.post("/v1/notifications", content=body, headers=headers)
    if answer.status_code == 202:
        assert (await gateway.get(answer.headers["Location"])).json()["status"] in {"accepted", "queued"}
    else:
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
