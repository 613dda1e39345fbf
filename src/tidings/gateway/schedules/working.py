"""Schedules at work: every gateway takes some of those that are due, and makes their notifications."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from prometheus_client import Counter

from tidings.gateway.acceptance import Acceptance
from tidings.gateway.schedules.making import Maker
from tidings.gateway.schedules.working_store import DueSchedule, Step, WorkingStore
from tidings.kit.errors import Unavailable

BURST = 100
LOOK_SECONDS = 0.5
PAUSE_SECONDS = 1.0
LEASE = timedelta(seconds=30)
"""When a gateway that took a schedule and died has it looked at by another."""

OCCURRENCES = Counter(
    "tidings_schedule_occurrences_total", "Occurrences of schedules, by what became of them", ["outcome"]
)

log = structlog.get_logger(__name__)


class ScheduleWorker:
    """Makes the notifications of schedules. Whatever it leaves when it is killed, another one takes up."""

    def __init__(self, store: WorkingStore, maker: Maker, acceptance: Acceptance) -> None:
        self._store = store
        self._maker = maker
        self._acceptance = acceptance

    async def work(self) -> None:
        """For ever: twice a second, what is due."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                while await self.work_once() == BURST:
                    pass
            except Unavailable as error:
                log.warning("schedules_wait", error=error.detail)
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception:
                # Whatever it is, schedules go on; what was leased is looked at again after its lease.
                log.exception("schedules_failed")
                await asyncio.sleep(PAUSE_SECONDS)

    async def work_once(self) -> int:
        """Some of what is due; returns how many schedules that were.

        Raises:
            Unavailable: the database does not answer.
        """
        leased = await self._store.lease_due(limit=BURST, lease=LEASE)
        if leased:
            steps = await asyncio.gather(*(self._step(one) for one in leased))
            await self._commit([one for one in steps if one is not None])
        return len(leased)

    async def _commit(self, steps: Sequence[Step]) -> None:
        committed: Sequence[Step] = ()
        try:
            committed = await self._store.commit(steps)
        finally:
            made = {one.schedule.id for one in committed}
            for step in steps:
                if step.counted is not None and step.schedule.id not in made:
                    step.counted.give_back()
        for step in committed:
            self._note(step)

    async def _step(self, schedule: DueSchedule) -> Step | None:
        try:
            return await self._maker.step(schedule)
        except Exception:
            # One schedule that breaks us must not hold up the others.
            log.exception("schedule_failed", schedule_id=str(schedule.id))
            return None

    def _note(self, step: Step) -> None:
        self._acceptance.hand_over(step.rows)
        if step.problem is not None:
            log.warning("occurrence_refused", schedule_id=str(step.schedule.id), code=step.problem.code)
        OCCURRENCES.labels("made").inc(bool(step.rows))
        OCCURRENCES.labels("refused").inc(step.problem is not None)
        OCCURRENCES.labels("missed").inc(step.skipped)


@asynccontextmanager
async def working(worker: ScheduleWorker) -> AsyncIterator[None]:
    """The worker at work for as long as the block runs."""
    task = asyncio.create_task(worker.work())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
