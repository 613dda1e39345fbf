"""Limits of callers that send many notifications in one request."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from gateway.conftest import NewBody
from gateway.limits.conftest import OpenCaller
from gateway.test_refusals import assert_problem
from support.polling import eventually
from support.world import World, fresh_address

Left = Callable[[httpx.AsyncClient, str], Awaitable[int]]


async def send(caller: httpx.AsyncClient, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = await caller.post("/v1/notifications/batch", json={"notifications": items})
    assert answer.status_code == 202, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def problems_of(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item["problem"] for item in items if "problem" in item]


async def test_a_batch_fills_a_limit_to_the_brim(open_caller: OpenCaller, new_body: NewBody) -> None:
    """As many items as are left are taken; each of the others says which limit refuses and for how long."""
    async with open_caller(limit_notifications_per_day=250) as caller:
        bodies = [new_body() for _ in range(300)]
        items = await send(caller, bodies)
        again = await send(caller, bodies)
    refused = problems_of(items)
    assert len(refused) == 50
    assert {(one["status"], one["code"], one["limit"]) for one in refused} == {(429, "rate_limited", "day")}
    assert all(1 <= one["retry_after"] <= 86_400 for one in refused)
    assert [one.get("replayed", False) for one in again if "id" in one] == [True] * 250


async def test_a_limit_per_recipient_refuses_only_that_recipient(
    open_caller: OpenCaller, new_body: NewBody, world: World
) -> None:
    """Of two people in a batch, one who was sent enough does not keep the other from hearing."""
    other = await world.add_user(email=fresh_address())
    async with open_caller(limit_recipient_per_hour=3) as caller:
        items = await send(caller, [new_body() for _ in range(5)] + [new_body(user_id=other)])
    assert [one["limit"] for one in problems_of(items)] == ["recipient"] * 2
    assert "id" in items[5]


async def test_a_batch_is_one_request_and_counts_what_it_takes(
    open_caller: OpenCaller, new_body: NewBody, left: Left
) -> None:
    """Of 12 items the 8 that are taken count as notifications, however often the batch is sent."""
    changed = {"limit_requests_per_second": 100, "limit_burst_seconds": 60}
    async with open_caller(limit_notifications_per_day=1_000, **changed) as caller:
        notifications, requests = await left(caller, "day"), await left(caller, "requests")
        items = [new_body() for _ in range(8)] + [new_body(user_id="nobody") for _ in range(4)]
        for _ in range(3):
            await send(caller, items)

        async def counted() -> bool:
            return await left(caller, "day") == notifications - 8

        assert await left(caller, "requests") == requests - 3 - 1
        await eventually(counted)


async def test_who_asks_too_often_sends_no_batch(open_caller: OpenCaller, new_body: NewBody) -> None:
    """A limit on requests refuses the batch as a whole, and nothing of it is taken."""
    async with open_caller(limit_requests_per_second=1, limit_burst_seconds=60) as caller:
        answers: list[httpx.Response] = []

        async def is_refused() -> bool:
            # At once, for where a minute ends meanwhile, the oldest count less and less.
            await asyncio.gather(*(caller.get("/v1/limits") for _ in range(60)))
            batch = {"notifications": [new_body()]}
            answers.append(await caller.post("/v1/notifications/batch", json=batch))
            return answers[-1].status_code == 429

        await eventually(is_refused)
        answer = answers[-1]
    assert_problem(answer, 429, "rate_limited")
    assert answer.json()["limit"] == "requests"
    assert int(answer.headers["Retry-After"]) >= 1
