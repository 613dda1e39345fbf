"""Frequency caps on a real Valkey."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from support.servers import ValkeyNode
from tidings.contracts.codes import Channel, Verdict
from tidings.contracts.users import FrequencyCap
from tidings.delivery.frequency import FrequencyCaps
from tidings.kit.cache import open_redis


@pytest.fixture
async def caps(valkey_url: str) -> AsyncIterator[FrequencyCaps]:
    """The caps as a worker sees them, but with patience: a slow answer counts as well."""
    async with open_redis(valkey_url) as redis:
        yield FrequencyCaps(redis)


async def test_cap_lets_so_many_through(caps: FrequencyCaps) -> None:
    """Of many at once, just as many as the cap allows are let through."""
    user, cap = uuid4(), [FrequencyCap(most=3, per="day")]
    verdicts = await asyncio.gather(*(caps.verdict(user, Channel.EMAIL, uuid4(), cap) for _ in range(20)))
    assert Counter(verdicts) == {Verdict.PASSED: 3, Verdict.STOPPED: 17}


async def test_same_notification_counts_once(caps: FrequencyCaps) -> None:
    """A notification that is tried again takes no second place."""
    user, cap, notification = uuid4(), [FrequencyCap(most=1, per="hour")], uuid4()
    verdicts = [await caps.verdict(user, Channel.PUSH, notification, cap) for _ in range(3)]
    assert verdicts == [Verdict.PASSED] * 3
    assert await caps.verdict(user, Channel.PUSH, uuid4(), cap) is Verdict.STOPPED


async def test_cap_for_one_channel(caps: FrequencyCaps) -> None:
    """A cap on one channel leaves the other alone; one without a channel counts both together."""
    user = uuid4()
    push_only = [FrequencyCap(most=0, per="week", channel=Channel.PUSH)]
    both = [FrequencyCap(most=1, per="week")]
    assert await caps.verdict(user, Channel.PUSH, uuid4(), push_only) is Verdict.STOPPED
    assert await caps.verdict(user, Channel.EMAIL, uuid4(), push_only) is Verdict.SKIPPED
    assert await caps.verdict(user, Channel.EMAIL, uuid4(), both) is Verdict.PASSED
    assert await caps.verdict(user, Channel.PUSH, uuid4(), both) is Verdict.STOPPED


async def test_people_do_not_share_caps(caps: FrequencyCaps) -> None:
    """What one person got does not count for another."""
    cap = [FrequencyCap(most=1, per="day")]
    verdicts = [await caps.verdict(uuid4(), Channel.EMAIL, uuid4(), cap) for _ in range(3)]
    assert verdicts == [Verdict.PASSED] * 3


async def test_a_rehearsal_takes_no_place(caps: FrequencyCaps) -> None:
    """Asked without counting, the cap says what it would say, as often as one likes."""
    user, cap = uuid4(), [FrequencyCap(most=1, per="day")]
    for _ in range(3):
        assert await caps.verdict(user, Channel.EMAIL, uuid4(), cap, counts=False) is Verdict.PASSED
    assert await caps.verdict(user, Channel.EMAIL, uuid4(), cap) is Verdict.PASSED
    assert await caps.verdict(user, Channel.EMAIL, uuid4(), cap, counts=False) is Verdict.STOPPED


async def test_without_redis_everything_is_let_through() -> None:
    """Redis down: more than wanted rather than nothing."""
    node = ValkeyNode()
    async with open_redis(node.url) as redis:
        node.stop()
        cap = [FrequencyCap(most=0, per="day")]
        verdict = await FrequencyCaps(redis).verdict(uuid4(), Channel.EMAIL, uuid4(), cap)
        assert verdict is Verdict.UNKNOWN
