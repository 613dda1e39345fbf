"""Many calls at once, and not too many."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def concurrently(limit: int, call: Callable[[T], Awaitable[None]], items: Iterable[T]) -> None:
    """Call for each item, at most `limit` at once. The first error is raised, once all are done."""
    slots = asyncio.Semaphore(limit)

    async def one(item: T) -> None:
        async with slots:
            await call(item)

    results = await asyncio.gather(*map(one, items), return_exceptions=True)
    for result in results:
        if result is not None:
            raise result
