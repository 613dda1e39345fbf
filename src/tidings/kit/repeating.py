"""Work that is done again and again, whatever became of it the last time."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from tidings.kit.errors import Unavailable

log = structlog.get_logger(__name__)


async def repeat(work: Callable[[], Awaitable[object]], *, seconds: float, failed: str) -> None:
    """For ever: do it, and pause for so many seconds. What it raises is logged as the event `failed`."""
    while True:
        try:
            await work()
        except Unavailable as error:
            log.warning(failed, error=error.detail)
        except Exception:
            # A loop that ended in silence would be found out weeks later, by what it no longer does.
            log.exception(failed)
        await asyncio.sleep(seconds)
