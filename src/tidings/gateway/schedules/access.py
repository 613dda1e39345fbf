"""Whose schedule a caller may see and change: their own, and with the scope `*` everyone's."""

from uuid import UUID

from tidings.gateway.schedules.store import Kept, ScheduleStore
from tidings.kit.auth import EVERYTHING, Principal
from tidings.kit.errors import NotFound


def owner_for(principal: Principal) -> str | None:
    """Whose schedules they may see; None is everyone's."""
    return None if principal.may(EVERYTHING) else principal.owner


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
