"""Budgets on a real Valkey, shared by several workers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import pairwise
from uuid import uuid4

import pytest

from support.servers import ValkeyNode
from tidings.contracts.codes import Channel
from tidings.delivery.providers_file import ProviderConfig
from tidings.delivery.routing.budget import LONGEST_PATIENCE, Budget, Budgets
from tidings.kit.cache import open_redis


@pytest.fixture
async def workers(valkey_url: str) -> AsyncIterator[list[Budgets]]:
    """The budgets as three worker processes see them, but with patience: a slow answer counts as well."""
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(open_redis(valkey_url)) for _ in range(3)]
        yield [Budgets(redis, Channel.EMAIL) for redis in connections]


def shared(workers: list[Budgets], config: ProviderConfig) -> list[Budget]:
    """One provider's budget, as each worker sees it."""
    name = f"provider-{uuid4().hex[:8]}"
    return [budgets.of(name, config) for budgets in workers]


async def test_a_day_has_so_many_places_for_all(workers: list[Budgets]) -> None:
    """Of many reservations at once, over all workers, just as many get a place as the day has."""
    budgets = shared(workers, ProviderConfig(per_day=10))
    waits = await asyncio.gather(*(budget.reserve(30) for budget in budgets for _ in range(10)))
    assert waits.count(0.0) == 10
    assert waits.count(None) == 20
    assert [await budget.reserve(30) for budget in budgets] == [None] * 3
    assert all(0 < budget.wait() <= 86_400 for budget in budgets)
    assert budgets[0].words == "its budget of 10 a day is spent"


async def test_places_of_a_second_follow_one_another(workers: list[Budgets]) -> None:
    """At five a second, of three workers' reservations each waits a fifth of a second longer."""
    budgets = shared(workers, ProviderConfig(per_second=5))
    waits = await asyncio.gather(*(budget.reserve(30) for budget in budgets for _ in range(10)))
    known = sorted(wait for wait in waits if wait is not None)
    assert len(known) == 30
    assert known[0] == 0
    # The reservations themselves take time, in which places become free: never faster, though.
    assert sum(wait <= 2 for wait in known) >= 10
    assert known[-1] <= 29 / 5
    assert all(later - earlier <= 0.21 for earlier, later in pairwise(known))


async def test_what_would_take_too_long_is_not_reserved(workers: list[Budgets]) -> None:
    """Who would wait longer than they want to gets no place, and takes none from others."""
    budget, other, _ = shared(workers, ProviderConfig(per_second=0.04))
    assert await budget.reserve(1) == 0
    assert [await budget.reserve(1) for _ in range(5)] == [None] * 5
    assert budget.wait() == 0  # a longer patience would do
    wait = await other.reserve(LONGEST_PATIENCE)
    assert wait is not None
    assert 0 < wait <= 25


async def test_a_slow_budget_is_left_alone(workers: list[Budgets]) -> None:
    """When even the longest patience does not reach the next place, asking again is known to be pointless."""
    budget = shared(workers, ProviderConfig(per_second=0.01))[0]
    assert await budget.reserve(LONGEST_PATIENCE) == 0
    assert await budget.reserve(LONGEST_PATIENCE) is None
    assert 0 < budget.wait() <= 100 - LONGEST_PATIENCE
    assert budget.words == "its budget of 0.01 a second is spent"


async def test_a_fast_budget_allows_short_bursts(workers: list[Budgets]) -> None:
    """At a hundred a second, ten at once need not wait."""
    budget = shared(workers, ProviderConfig(per_second=100))[0]
    waits = [await budget.reserve(1) for _ in range(10)]
    assert waits == [0.0] * 10


async def test_providers_have_budgets_of_their_own(workers: list[Budgets]) -> None:
    """What one provider used up is not taken from another."""
    for _ in range(3):
        assert await shared(workers, ProviderConfig(per_day=1))[0].reserve(0) == 0


async def test_without_redis_there_is_always_a_place() -> None:
    """Redis down: rather too fast than not at all."""
    node = ValkeyNode()
    async with open_redis(node.url) as redis:
        budget = Budgets(redis, Channel.EMAIL).of("smtp", ProviderConfig(per_day=1))
        node.stop()
        assert [await budget.reserve(0) for _ in range(3)] == [0.0] * 3
        assert budget.wait() == 0
