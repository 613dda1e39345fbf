"""Waiting in tests: for a condition, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(condition: Callable[[], bool | Awaitable[bool]], *, within: float = 60.0) -> None:
    """Return as soon as the condition holds; fail the test when it does not in time (seconds)."""
    try:
        async with asyncio.timeout(within):
            while not await _holds(condition):  # noqa: ASYNC110 - the condition is on a server or in a handler
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"the condition did not hold within {within:g} s") from None


async def _holds(condition: Callable[[], bool | Awaitable[bool]]) -> bool:
    result = condition()
    return result if isinstance(result, bool) else await result
