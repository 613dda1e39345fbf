"""What a piece of work costs this process in CPU, one after the other and with many under way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter, process_time

ROUNDS = 1_000
AT_ONCE = 50
"""As the services work on; so many at once share calls as they do there."""
SLOW_ROUNDS = 200
"""For what takes several times as long."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU for one: one after the other, and with many under way, which share calls."""

    alone: float
    together: float


Steps = dict[str, Cost]


@dataclass(frozen=True, slots=True)
class Rate:
    """How many a second, and microseconds of CPU for each."""

    per_second: float
    cpu: float


def computed(work: Callable[[], object]) -> float:
    """Microseconds of CPU of what only computes."""
    for _ in range(ROUNDS // 10):
        work()
    started = process_time()
    for _ in range(ROUNDS):
        work()
    return (process_time() - started) / ROUNDS * 1e6


async def cost_of(work: Callable[[int], Awaitable[object]]) -> Cost:
    """What one call of `work` costs, which is called with 0, 1, ..."""
    alone, together = await rate_of(work, SLOW_ROUNDS, 1), await rate_of(work, ROUNDS, AT_ONCE)
    return Cost(alone.cpu, together.cpu)


async def rate_of(work: Callable[[int], Awaitable[object]], rounds: int, at_once: int) -> Rate:
    """How fast `rounds` calls go with `at_once` of them under way."""
    await _run(work, rounds // 10, at_once)
    began, started = perf_counter(), process_time()
    await _run(work, rounds, at_once)
    return Rate(rounds / (perf_counter() - began), (process_time() - started) / rounds * 1e6)


async def _run(work: Callable[[int], Awaitable[object]], rounds: int, at_once: int) -> None:
    numbers = iter(range(rounds))

    async def some() -> None:
        for number in numbers:
            await work(number)

    await asyncio.gather(*(some() for _ in range(at_once)))
