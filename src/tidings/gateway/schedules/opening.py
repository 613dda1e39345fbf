"""Schedules at work, and open to their owners."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from tidings.gateway.acceptance import Acceptance
from tidings.gateway.checking import RequestChecks
from tidings.gateway.limits.tally import CallerLimits
from tidings.gateway.schedules.making import Maker
from tidings.gateway.schedules.planning import Planner
from tidings.gateway.schedules.store import ScheduleStore
from tidings.gateway.schedules.working import ScheduleWorker, working
from tidings.gateway.schedules.working_store import WorkingStore
from tidings.kit.database import Database


@asynccontextmanager
async def open_schedules(
    database: Database,
    acceptance: Acceptance,
    checks: RequestChecks,
    limits: CallerLimits,
    *,
    grace: timedelta,
) -> AsyncIterator[dict[str, object]]:
    """Make notifications of schedules for as long as the block runs; gives what the routes ask for.

    `grace`: how late a notification may be that was missed while no gateway ran.
    """
    maker = Maker(acceptance, checks, limits, grace=grace)
    async with working(ScheduleWorker(WorkingStore(database), maker, acceptance)):
        yield {"schedules": ScheduleStore(database), "planner": Planner(checks)}
