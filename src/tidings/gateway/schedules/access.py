"""The schedule that a caller may see and change."""

from uuid import UUID

from tidings.gateway.reach import owner_for
from tidings.gateway.schedules.store import Kept, ScheduleStore
from tidings.kit.auth import Principal
from tidings.kit.errors import NotFound


async def found_for(principal: Principal, store: ScheduleStore, schedule_id: str) -> Kept:
    """The schedule that a path names.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    try:
        found = await store.find(UUID(schedule_id), owner_for(principal))
    except ValueError:
        found = None
    if found is None:
        raise NotFound(f"There is no schedule {schedule_id}", code="unknown_schedule")
    return found
