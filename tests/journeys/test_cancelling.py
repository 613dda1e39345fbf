"""Cancels while workers send: an answer of 200 means that nobody gets it."""

import asyncio
from collections import Counter

import httpx
import pytest

from support.stack import Stack

pytestmark = pytest.mark.journey

MANY = 150
CALLERS = 20


async def cancelled(world: Stack, notification_id: str) -> bool:
    """Whether a cancel, asked for again while a 503 says so, is answered with 200; else it is too late."""
    answer = await world.http.post(f"{world.gateway}/v1/notifications/{notification_id}/cancel")
    while answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        answer = await world.http.post(f"{world.gateway}/v1/notifications/{notification_id}/cancel")
    if answer.status_code == httpx.codes.OK:
        return True
    assert answer.json()["code"] in {"already_sending", "already_settled"}, answer.text
    return False


async def emails(world: Stack) -> Counter[str]:
    """How often each notification arrived."""
    return Counter(email["message_id"].strip("<>").split("@")[0] for email in await world.inbox())


async def test_each_is_sent_or_cancelled(world: Stack) -> None:
    """Of 150 that are sent and cancelled at once each arrives, or is cancelled, and its state says which."""
    slots = asyncio.Semaphore(CALLERS)

    async def one(number: int) -> tuple[str, bool]:
        async with slots:
            accepted = await world.accept(request_id=f"race-{number}")
            return accepted, await cancelled(world, accepted)

    # As many as a worker has in hand wait for their answers, and behind them there is time to cancel.
    await world.faults({"provider": "smtp", "latency_s": 0.5})
    told = dict(await asyncio.gather(*map(one, range(MANY))))
    assert True in told.values()
    ends = {each: str((await world.wait_settled(each))["status"]) for each in told}
    assert ends == {each: "cancelled" if was else "sent" for each, was in told.items()}
    assert await emails(world) == Counter(each for each, was in told.items() if not was)
