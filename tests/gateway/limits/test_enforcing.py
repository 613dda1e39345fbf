"""What callers see of their limits."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import httpx
import pytest

from gateway.conftest import NewBody
from gateway.keys import add_key
from gateway.limits.conftest import OpenCaller
from support.polling import eventually
from support.world import World, fresh_address

Left = Callable[[httpx.AsyncClient, str], Awaitable[int]]


def parameters(header: str, name: str) -> dict[str, int]:
    """The parameters of one member of a `RateLimit` or `RateLimit-Policy` header."""
    members = {member.partition(";")[0]: member.partition(";")[2] for member in header.split(", ")}
    pairs = (pair.split("=") for pair in members[f'"{name}"'].split(";"))
    return {key: int(value) for key, value in pairs}


async def send(caller: httpx.AsyncClient, body: dict[str, object]) -> httpx.Response:
    return await caller.post("/v1/notifications", json=body)


@pytest.mark.parametrize(
    ("setting", "name", "window"),
    [
        ("limit_requests_per_second", "requests", 1),
        ("limit_notifications_per_minute", "notifications", 60),
        ("limit_recipient_per_hour", "recipient", 3600),
        ("limit_notifications_per_day", "day", 86400),
    ],
)
async def test_each_limit_refuses_what_is_too_much(
    open_caller: OpenCaller, new_body: NewBody, setting: str, name: str, window: int
) -> None:
    """Past a limit the answer is a 429 that names it and says when to come again."""
    changed = {"limit_burst_seconds": 1, "limit_requests_per_second": 0, setting: 1}
    async with open_caller(**changed) as caller:
        first = await send(caller, new_body())
        # At once, for the shortest window may pass between one and the next.
        answers = await asyncio.gather(*(send(caller, new_body()) for _ in range(3)))
    assert first.status_code == 202
    assert parameters(first.headers["RateLimit-Policy"], name) == {"q": 1, "w": window}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert (refused.json()["code"], refused.json()["limit"]) == ("rate_limited", name)
    assert f"`{name}`" in refused.json()["detail"]
    standing = parameters(refused.headers["RateLimit"], name)
    assert standing["r"] == 0
    assert 1 <= int(refused.headers["Retry-After"]) <= 2 * window
    assert int(refused.headers["Retry-After"]) >= standing["t"]


async def test_every_answer_says_what_is_left(open_caller: OpenCaller, new_body: NewBody) -> None:
    """Taken, read, not found or not even readable: each request counts, and its answer says so."""
    async with open_caller(limit_requests_per_second=100, limit_burst_seconds=60) as caller:
        answers = [
            await send(caller, new_body()),
            await caller.get("/v1/notifications"),
            await caller.get("/v1/notifications/none"),
            await caller.post("/v1/notifications", content=b"{"),
            await caller.get("/v1/templates"),
        ]
    assert [answer.status_code for answer in answers] == [202, 200, 404, 400, 200]
    left = [parameters(answer.headers["RateLimit"], "requests")["r"] for answer in answers]
    assert left == [5999, 5998, 5997, 5996, 5995]


async def test_whoever_is_not_known_has_no_limits(open_caller: OpenCaller) -> None:
    """A refused credential, an open page and a service of ours are told of no limits."""
    async with open_caller() as caller:
        answers = [
            await caller.get("/v1/notifications", headers={"Authorization": "Bearer tdg_live_no"}),
            await caller.get("/health/live"),
        ]
    assert [answer.status_code for answer in answers] == [401, 200]
    assert not any("RateLimit" in answer.headers for answer in answers)


async def test_our_own_services_are_not_limited(
    open_caller: OpenCaller, service_token: Callable[..., str]
) -> None:
    """A service's token is never refused for its rate."""
    async with open_caller(service_token("gateway"), limit_requests_per_second=1) as service:
        answers = [await service.get("/v1/notifications") for _ in range(20)]
        limits = await service.get("/v1/limits")
    assert {answer.status_code for answer in answers} == {200}
    assert limits.json()["enforced"] is False


async def test_recipients_and_channels_are_counted_apart(
    open_caller: OpenCaller, new_body: NewBody, world: World
) -> None:
    """What one person was sent on one channel limits neither another person nor another channel."""
    other = await world.add_user(email=fresh_address())
    variables = {"name": "Ada", "link": "https://example.com"}
    async with open_caller(limit_recipient_per_hour=1) as caller:
        answers = [
            await send(caller, new_body()),
            await send(caller, new_body()),
            await send(caller, new_body(user_id=other)),
            await send(caller, new_body(channel="push", variables=variables)),
        ]
    assert [answer.status_code for answer in answers] == [202, 429, 202, 202]


async def test_keys_are_counted_apart(
    open_caller: OpenCaller, new_body: NewBody, admin: asyncpg.Connection
) -> None:
    """One key's use of its limits, even towards the same person, takes nothing from another key."""
    async with open_caller(limit_notifications_per_minute=1, limit_recipient_per_hour=1) as caller:
        assert (await send(caller, new_body())).status_code == 202
        assert (await send(caller, new_body())).status_code == 429
        caller.headers["Authorization"] = f"Bearer {await add_key(admin, '*')}"
        assert (await send(caller, new_body())).status_code == 202


async def test_a_repeated_request_counts_once(open_caller: OpenCaller, new_body: NewBody, left: Left) -> None:
    """Repeating a request takes nothing from the limits, and is answered when they are used up."""
    body = new_body()
    async with open_caller(limit_notifications_per_minute=2) as caller:
        first = await send(caller, body)
        assert (await send(caller, body)).headers["Idempotent-Replayed"] == "true"

        async def given_back() -> bool:
            return await left(caller, "notifications") == 1

        await eventually(given_back)
        assert (await send(caller, new_body())).status_code == 202
        assert (await send(caller, new_body())).status_code == 429
        again = await send(caller, body)
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_what_is_not_taken_is_not_counted(
    open_caller: OpenCaller, new_body: NewBody, left: Left
) -> None:
    """A notification that is refused as impossible takes nothing from the limits on notifications."""
    async with open_caller(limit_notifications_per_minute=1) as caller:
        assert (await send(caller, new_body(template_id="none"))).status_code == 422

        async def given_back() -> bool:
            return await left(caller, "notifications") == 1

        await eventually(given_back)
        assert (await send(caller, new_body())).status_code == 202


async def test_gateways_share_the_limits(open_caller: OpenCaller, new_body: NewBody) -> None:
    """Two gateways together let through what the limit says."""
    changed = {"limit_recipient_per_hour": 5}
    async with open_caller(**changed) as first:
        key = first.headers["Authorization"].removeprefix("Bearer ")
        async with open_caller(key, **changed) as second:
            answers = [await send(caller, new_body()) for _ in range(4) for caller in (first, second)]
    assert [answer.status_code for answer in answers].count(202) == 5
    assert [answer.status_code for answer in answers].count(429) == 3


async def test_a_limit_is_free_again(open_caller: OpenCaller) -> None:
    """Once the window has passed, the caller goes on."""
    async with open_caller(limit_requests_per_second=1, limit_burst_seconds=1) as caller:

        async def answers(status: int) -> bool:
            return (await caller.get("/v1/notifications")).status_code == status

        await eventually(lambda: answers(429))
        await eventually(lambda: answers(200))


async def test_a_caller_reads_its_limits(open_caller: OpenCaller, new_body: NewBody) -> None:
    """`GET /v1/limits` has each limit, and what is left of those that are the key's own."""
    changed = {"limit_requests_per_second": 10, "limit_burst_seconds": 60, "limit_notifications_per_day": 50}
    async with open_caller(limit_notifications_per_minute=0, **changed) as caller:
        await send(caller, new_body())
        answer = await caller.get("/v1/limits")
    body = answer.json()
    assert body["enforced"] is True
    assert [(one["name"], one["per"], one["quota"], one["window"]) for one in body["limits"]] == [
        ("requests", "key", 600, 60),
        ("recipient", "recipient", 10000, 3600),
        ("day", "key", 50, 86400),
    ]
    assert [one["remaining"] for one in body["limits"]] == [598, None, 49]
    assert parameters(answer.headers["RateLimit"], "day")["r"] == 49


async def test_without_a_cache_nothing_is_limited(open_caller: OpenCaller, new_body: NewBody) -> None:
    """A gateway that was given no Redis refuses nothing, and says that its limits are not enforced."""
    async with open_caller(cache_url=None, limit_notifications_per_minute=1) as caller:
        answers = [await send(caller, new_body()) for _ in range(3)]
        limits = (await caller.get("/v1/limits")).json()
    assert {answer.status_code for answer in answers} == {202}
    assert not any("RateLimit" in answer.headers for answer in answers)
    assert limits["enforced"] is False
    assert limits["limits"][1] == {
        "name": "notifications",
        "per": "key",
        "quota": 1,
        "window": 60,
        "remaining": None,
        "resets_in": None,
    }


async def test_every_limited_operation_describes_the_refusal(gateway: httpx.AsyncClient) -> None:
    """In the OpenAPI description whatever asks for a credential may answer 429."""
    paths = (await gateway.get("/schema/openapi.json")).json()["paths"]
    public = {path: described for path, described in paths.items() if path.startswith("/v1/")}
    without = [
        f"{method} {path}"
        for path, described in public.items()
        for method, operation in described.items()
        if "429" not in operation["responses"] and "401" in operation["responses"]
    ]
    assert without == []
