"""`POST /e/…`: what a browser tells of a push stands in its timeline."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from gateway.conftest import NewBody, OpenGateway
from gateway.test_refusals import assert_problem
from support.servers import SERVICE_SECRET
from tidings.client.links import engagement_path, unsubscribe_path
from tidings.contracts.codes import Status
from tidings.kit.ids import now

DISPLAYED = {"event": "displayed"}


def path_of(push_id: UUID, device_id: UUID | None = None, *, age: timedelta = timedelta()) -> str:
    """The path that a device got with a push."""
    return engagement_path(SERVICE_SECRET, push_id, device_id or uuid4(), at=now() - age)


@pytest.fixture(scope="module")
async def browser(open_gateway: OpenGateway) -> AsyncIterator[httpx.AsyncClient]:
    """A client that has no API key."""
    async with open_gateway() as client:
        del client.headers["Authorization"]
        yield client


@pytest.fixture
async def push_id(gateway: httpx.AsyncClient, new_body: NewBody) -> UUID:
    """A notification that was accepted."""
    return UUID((await gateway.post("/v1/notifications", json=new_body())).json()["id"])


async def told_of(gateway: httpx.AsyncClient, push_id: UUID) -> list[tuple[str, str | None, str | None]]:
    """Reason, device and words of the steps that browsers told."""
    timeline = (await gateway.get(f"/v1/notifications/{push_id}")).json()["timeline"]
    return [
        (step["reason"], step["target"], step["detail"])
        for step in timeline
        if step["status"] == Status.DELIVERED
    ]


async def test_displayed_and_clicked(
    browser: httpx.AsyncClient, gateway: httpx.AsyncClient, push_id: UUID
) -> None:
    """The push is delivered, and its timeline has what happened on which device."""
    device = uuid4()
    path = path_of(push_id, device)
    for body in (DISPLAYED, {"event": "clicked", "action": "open"}):
        answer = await browser.post(path, json=body)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == "*"
    found = (await gateway.get(f"/v1/notifications/{push_id}")).json()
    # That it was seen is no reason why it is delivered, so the order of the two makes no difference.
    assert (found["status"], found["reason"]) == ("delivered", None)
    assert await told_of(gateway, push_id) == [
        ("displayed", str(device), None),
        ("clicked", str(device), "open"),
    ]


async def test_told_again(browser: httpx.AsyncClient, gateway: httpx.AsyncClient, push_id: UUID) -> None:
    """A browser that repeats itself, also all at once, is heard once; another device is another step."""
    phone, laptop = (path_of(push_id) for _ in range(2))
    paths = [phone] * 20 + [laptop] * 20
    answers = await asyncio.gather(*(browser.post(path, json=DISPLAYED) for path in paths))
    assert {answer.status_code for answer in answers} == {204}
    assert [reason for reason, _, _ in await told_of(gateway, push_id)] == ["displayed", "displayed"]


async def test_a_simple_request_will_do(browser: httpx.AsyncClient, push_id: UUID) -> None:
    """What a worker sends without a content type, and so without a preflight, is read as JSON."""
    path = path_of(push_id)
    headers = {"Content-Type": "text/plain;charset=UTF-8", "Origin": "https://shop.example.com"}
    answer = await browser.post(path, content=b'{"event":"displayed"}', headers=headers)
    assert answer.status_code == 204


async def test_a_notification_that_is_gone(browser: httpx.AsyncClient) -> None:
    """A browser need not know that the notification was deleted."""
    answer = await browser.post(path_of(uuid4()), json=DISPLAYED)
    assert answer.status_code == 204


@pytest.mark.parametrize("token", ["cut-off", "", "%00", unsubscribe_path(SERVICE_SECRET, UUID(int=7), None)])
async def test_a_token_that_is_not_ours(browser: httpx.AsyncClient, token: str) -> None:
    """Nothing but the very link opens the path, not even a link of another kind."""
    answer = await browser.post(f"/e/{token.rsplit('/', 1)[-1]}", json=DISPLAYED)
    assert answer.status_code in {404, 405}


async def test_the_refusal_is_readable(browser: httpx.AsyncClient) -> None:
    """A script of any site may read why."""
    answer = await browser.post("/e/cut-off", json=DISPLAYED)
    assert_problem(answer, 404, "invalid_link")
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_an_old_link(browser: httpx.AsyncClient, push_id: UUID) -> None:
    """After thirty days the link is of no use, and says so."""
    path = path_of(push_id, age=timedelta(days=30, seconds=1))
    assert_problem(await browser.post(path, json=DISPLAYED), 410, "expired_link")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"event": "bounced"}',
        b'{"event": "clicked", "action": "An action"}',
        b'{"event": "displayed", "status": "failed"}',
    ],
)
async def test_a_body_that_says_something_else(
    browser: httpx.AsyncClient, gateway: httpx.AsyncClient, push_id: UUID, body: bytes
) -> None:
    """Only the two events can be told, and nothing else changes."""
    path = path_of(push_id)
    assert_problem(await browser.post(path, content=body), 422, "invalid_request")
    assert await told_of(gateway, push_id) == []


async def test_a_long_body(browser: httpx.AsyncClient, push_id: UUID) -> None:
    """What is longer than any event is not read."""
    path = path_of(push_id)
    assert_problem(await browser.post(path, content=b" " * 2_000), 413, "body_too_large")
