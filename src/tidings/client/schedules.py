"""Client of the public API for notifications that recur."""

from collections.abc import AsyncIterator
from uuid import UUID

from tidings.client.http import ServiceHttp
from tidings.client.paging import each
from tidings.contracts.schedules import NewSchedule, Schedule, Schedules, ScheduleStatus
from tidings.kit.ids import new_id

PATH = "/v1/schedules"
REPEATS = 3


class SchedulesClient:
    """Recurring notifications. Every method may raise `RemoteProblem` and `RemoteUnavailable`."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def create(self, schedule: NewSchedule) -> Schedule:
        """Notify a person again and again; the answer has the next five moments.

        Repeated while the gateway does not answer, under one idempotency key.
        """
        headers = {"Idempotency-Key": str(new_id())}
        answer = await self._http.call("POST", PATH, body=schedule, headers=headers, attempts=REPEATS)
        return answer.read(Schedule)

    async def read(self, schedule_id: UUID) -> Schedule:
        """A schedule with its next five moments."""
        return await self._http.read(Schedule, f"{PATH}/{schedule_id}")

    def find(self, *, status: ScheduleStatus | None = None) -> AsyncIterator[Schedule]:
        """The API key's own schedules, newest first; with the scope `*` everyone's."""
        return each(self._http, Schedules, PATH, lambda page: page.schedules, status=status)

    async def pause(self, schedule_id: UUID) -> Schedule:
        """Send nothing until it is resumed."""
        answer = await self._http.call("POST", f"{PATH}/{schedule_id}/pause", attempts=REPEATS)
        return answer.read(Schedule)

    async def resume(self, schedule_id: UUID) -> Schedule:
        """Go on with the next occurrence."""
        answer = await self._http.call("POST", f"{PATH}/{schedule_id}/resume", attempts=REPEATS)
        return answer.read(Schedule)

    async def end(self, schedule_id: UUID) -> None:
        """Send nothing more, for ever. The notifications that it made stay as they are."""
        await self._http.call("DELETE", f"{PATH}/{schedule_id}", attempts=REPEATS)
