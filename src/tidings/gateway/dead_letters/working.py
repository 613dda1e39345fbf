"""Replay jobs at work: every gateway takes some of a job's dead letters whenever its rate allows it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from tidings.gateway.dead_letters.replay_store import ReplayStore
from tidings.gateway.dead_letters.replaying import Replayer
from tidings.kit.errors import Unavailable

IDLE_SECONDS = 1.0
"""How late a gateway may hear of a job that another one took."""

BUSY_SECONDS = 0.05
"""At least this long between two looks while another gateway has the job in hand."""

log = structlog.get_logger(__name__)


class ReplayWorker:
    """Works on whatever jobs are running. Whatever it leaves when it is killed, another one takes up."""

    def __init__(self, store: ReplayStore, replayer: Replayer) -> None:
        self._store = store
        self._replayer = replayer
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """A job has just begun."""
        self._woken.set()

    async def work(self) -> None:
        """For ever: a slice of a job, or a wait until one is due."""
        while True:
            try:
                await self._work_once()
            except Unavailable as error:
                log.warning("replaying_waits", error=error.detail)
                await asyncio.sleep(IDLE_SECONDS)
            except Exception:
                # Whatever it is, jobs go on; what was claimed is free again after its lease.
                log.exception("replaying_failed")
                await asyncio.sleep(IDLE_SECONDS)

    async def _work_once(self) -> None:
        claimed = await self._store.claim()
        if claimed is not None:
            await self._replayer.replay_slice(claimed)
            return
        seconds = await self._store.seconds_until_due()
        limit = IDLE_SECONDS if seconds is None else min(max(seconds, BUSY_SECONDS), IDLE_SECONDS)
        try:
            async with asyncio.timeout(limit):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()


@asynccontextmanager
async def working(worker: ReplayWorker) -> AsyncIterator[ReplayWorker]:
    """The worker at work for as long as the block runs."""
    task = asyncio.create_task(worker.work())
    try:
        yield worker
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
