"""Looking through notifications: by what they are, what became of them, and when."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import uuid4

import asyncpg
import httpx
import pytest

from gateway.conftest import TEST_API_KEY, NewBody
from support.world import World

Send = Callable[..., Awaitable[str]]
Found = Callable[..., Awaitable[list[str]]]


@pytest.fixture
def send(gateway: httpx.AsyncClient, person: str, new_body: NewBody) -> Send:
    """Sends to the person, and gives the id."""

    async def send_it(*, headers: dict[str, str] | None = None, **changed: object) -> str:
        body = new_body(**{"user_id": person, **changed})
        answer = await gateway.post("/v1/notifications", json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    return send_it


@pytest.fixture
def found(gateway: httpx.AsyncClient, person: str) -> Found:
    """The ids of the person's notifications that a search finds."""

    async def find(**query: str | list[str]) -> list[str]:
        answer = await gateway.get("/v1/notifications", params={"user_id": person, **query})
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["notifications"]]

    return find


async def change(
    admin: asyncpg.Connection,
    notification_id: str,
    *,
    status: str | None = None,
    reason: str | None = None,
    replay_of: str | None = None,
) -> None:
    """Make it as it would be after a longer life."""
    await admin.execute(
        "update notifications set status = coalesce($2, status), reason = $3, replay_of = $4 where id = $1",
        notification_id,
        status,
        reason,
        replay_of,
    )


async def test_those_of_a_person_newest_first(send: Send, found: Found) -> None:
    """A person's notifications are found, and nobody else's."""
    ids = [await send() for _ in range(3)]
    assert await found() == ids[::-1]


async def test_by_state(send: Send, found: Found, admin: asyncpg.Connection) -> None:
    """One state or several can be asked for."""
    failed, bounced, delivered = [await send() for _ in range(3)]
    for one, status in ((failed, "failed"), (bounced, "bounced"), (delivered, "delivered")):
        await change(admin, one, status=status)
    assert await found(status="failed") == [failed]
    assert await found(status=["failed", "delivered"]) == [delivered, failed]
    assert await found(status="expired") == []


async def test_by_channel_template_and_reason(
    world: World, send: Send, found: Found, admin: asyncpg.Connection
) -> None:
    """Each of them alone finds what has it, and together what has all."""
    template = await world.add_template(f"search-{uuid4()}", {"email": {"subject": "s", "text": "t"}})
    plain, other = await send(), await send(template_id=template)
    push = await send(channel="push", variables={"name": "Ada", "link": "https://example.com"})
    await change(admin, plain, reason="recipient_refused")
    assert await found(channel="push") == [push]
    assert await found(channel="email") == [other, plain]
    assert await found(template_id=template) == [other]
    assert await found(reason="recipient_refused") == [plain]
    assert await found(reason="recipient_refused", template_id=template) == []


async def test_what_test_keys_sent(send: Send, found: Found) -> None:
    """What was sent with a test key is found apart from what was not."""
    live = await send()
    test = await send(headers={"Authorization": f"Bearer {TEST_API_KEY}"})
    assert (await found(sandbox="true"), await found(sandbox="false")) == ([test], [live])


async def test_replays_of_one(send: Send, found: Found, admin: asyncpg.Connection) -> None:
    """The replays of a notification are found by its id."""
    original, replay = await send(), await send()
    await change(admin, replay, replay_of=original)
    assert await found(replay_of=original) == [replay]


async def test_by_time(gateway: httpx.AsyncClient, send: Send, found: Found) -> None:
    """`since` takes what was accepted at that moment, `until` leaves it out, to the microsecond."""
    ids = [await send() for _ in range(3)]
    second = (await gateway.get(f"/v1/notifications/{ids[1]}")).json()["accepted_at"]
    assert await found(since=second) == [ids[2], ids[1]]
    assert await found(until=second) == [ids[0]]
    later = (datetime.fromisoformat(second) + timedelta(microseconds=1)).isoformat()
    assert await found(since=second, until=later) == [ids[1]]
    assert await found(since="9999-12-31T23:59:59Z") == []
    assert await found(until="0001-01-01T00:00:00Z") == []


async def test_pages_of_a_filter(gateway: httpx.AsyncClient, person: str, send: Send) -> None:
    """Pages of a filter follow one another, and what comes in meanwhile disturbs none."""
    ids = [await send() for _ in range(4)]
    params = {"user_id": person, "channel": "email", "limit": "2"}
    first = (await gateway.get("/v1/notifications", params=params)).json()
    await send()
    second = (await gateway.get("/v1/notifications", params=params | {"cursor": first["next_cursor"]})).json()
    pages = [[one["id"] for one in page["notifications"]] for page in (first, second)]
    assert pages == [[ids[3], ids[2]], [ids[1], ids[0]]]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ({"since": "2026-01-31T12:00:00"}, "naive_time", "$.since"),
        ({"until": "2026-01-31T12:00:00"}, "naive_time", "$.until"),
        ({"since": "2026-02-01T00:00:00Z", "until": "2026-01-31T12:00:00Z"}, "invalid_request", "$.until"),
        (
            {"since": "2026-02-01T00:00:00Z", "until": "2026-02-01T01:00:00+01:00"},
            "invalid_request",
            "$.until",
        ),
        ({"since": "yesterday"}, "invalid_request", "$.since"),
        ({"status": "lost"}, "invalid_request", "$.status"),
        ({"channel": "pigeon"}, "invalid_request", "$.channel"),
        ({"replay_of": "7"}, "invalid_request", "$.replay_of"),
        ({"user_id": "\0"}, "invalid_request", "$.user_id"),
    ],
)
async def test_what_cannot_be_asked_is_refused(
    gateway: httpx.AsyncClient, query: dict[str, str], code: str, field: str
) -> None:
    """Times without an offset or in the wrong order, and words we do not know, are named."""
    answer = await gateway.get("/v1/notifications", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
