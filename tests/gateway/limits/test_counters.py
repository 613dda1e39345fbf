"""Counting itself: together, in windows, back, and once for all who count."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest
from redis.asyncio import Redis

from support.polling import eventually
from support.servers import PATIENCE
from tidings.gateway.limits.counters import Charge, Counters, Verdict
from tidings.gateway.limits.policies import Limit
from tidings.kit.cache import open_redis

TEN = Limit("notifications", 10, 3_600, "things")
TWO = Limit("requests", 2, 3_600, "things")
TODAY = Limit("day", 3, 86_400, "things", rolling=False)
SHORT = Limit("requests", 4, 1, "things")

_keys = (f"key{number}" for number in count())


@pytest.fixture
async def redis(valkey_url: str) -> AsyncIterator[Redis]:
    async with open_redis(valkey_url) as redis:
        yield redis


@pytest.fixture
def counters(redis: Redis) -> Counters:
    return Counters(redis, patience=PATIENCE)


async def verdict(counters: Counters, *charges: Charge) -> Verdict:
    found = await counters.count(charges)
    assert found is not None
    return found


async def left(counters: Counters, limit: Limit, key: str) -> int:
    return (await verdict(counters, Charge(limit, key, 0))).standings[0].left


@pytest.mark.parametrize("limit", [TEN, TWO, TODAY])
async def test_no_more_than_the_quota_is_admitted(redis: Redis, limit: Limit) -> None:
    """Of many at once, from two processes, exactly the quota is admitted."""
    key, several = next(_keys), [Counters(redis, patience=PATIENCE) for _ in range(2)]
    verdicts = await asyncio.gather(
        *(verdict(several[number % 2], Charge(limit, key, 1)) for number in range(300))
    )
    assert sum(one.refused is None for one in verdicts) == limit.quota
    assert await left(several[0], limit, key) == 0


async def test_charges_count_together_or_not_at_all(counters: Counters) -> None:
    """What one limit refuses is counted by none, except what is to be counted alone before it."""
    key = next(_keys)
    charges = [Charge(SHORT, key, 0), Charge(TEN, key, 3), Charge(TWO, key, 1)]
    for refused in (None, None, TWO, TWO):
        found = await verdict(counters, *charges)
        assert (found.refused.limit if found.refused else None) == refused
    assert await left(counters, TEN, key) == 4
    await verdict(counters, Charge(TEN, key, 1, alone=True), Charge(TWO, key, 1))
    assert await left(counters, TEN, key) == 3


async def test_a_count_is_admitted_whole_or_not(counters: Counters) -> None:
    """Several at once are not admitted in part, and those that fit still are."""
    key = next(_keys)
    assert (await verdict(counters, Charge(TEN, key, 8))).refused is None
    assert (await verdict(counters, Charge(TEN, key, 3))).refused is not None
    assert (await verdict(counters, Charge(TEN, key, 2))).refused is None
    assert (await verdict(counters, Charge(TEN, next(_keys), 11))).refused is not None


async def test_what_is_given_back_is_free(counters: Counters) -> None:
    """Counted later by nobody's leave, and never to less than nothing."""
    key = next(_keys)
    await verdict(counters, Charge(TEN, key, 10))
    counters.count_later([Charge(TEN, key, -4)])
    await counters.finish()
    assert await left(counters, TEN, key) == 4
    await verdict(counters, Charge(TEN, key, -100))
    assert await left(counters, TEN, key) == 10


async def test_the_wait_is_never_too_short(counters: Counters) -> None:
    """Who is refused hears of a time within two windows, and by then it fits."""
    key = next(_keys)
    await verdict(counters, Charge(SHORT, key, 4))
    refused = (await verdict(counters, Charge(SHORT, key, 3))).refused
    if refused is not None:  # or the window went by between the two
        assert 1 <= refused.seconds <= 2 * SHORT.window
        await asyncio.sleep(refused.seconds)  # the very time that is promised
        assert (await verdict(counters, Charge(SHORT, key, 3))).refused is None


async def test_counters_vanish(counters: Counters, redis: Redis) -> None:
    """What is not counted any more leaves nothing behind in Redis."""
    key = next(_keys)
    await verdict(counters, Charge(SHORT, key, 1))

    async def gone() -> bool:
        return not await redis.keys(f"*:{key}")

    await eventually(gone)
