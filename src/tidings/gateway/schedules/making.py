"""Making a notification of what is due of a schedule, checked as a new request is."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import msgspec

from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.notifications import NewNotification
from tidings.contracts.schedules import RecurringNotification, ScheduleProblem
from tidings.gateway.checking import RequestChecks
from tidings.gateway.email_options import enclosed
from tidings.gateway.schedules.occurrences import Occurrence, Recurrence
from tidings.gateway.schedules.rule import parse_rule
from tidings.gateway.schedules.turning import turn_of
from tidings.gateway.schedules.working_store import DueSchedule, Step
from tidings.gateway.store import NewRow
from tidings.kit.errors import ContentTooLarge, Unavailable, Unprocessable
from tidings.kit.ids import new_id, now
from tidings.kit.telemetry import trace_headers
from tidings.kit.wall_clock import zone_named


class Maker:
    """Decides what becomes of a schedule that is due. `grace`: how late its notification may be."""

    def __init__(self, checks: RequestChecks, *, grace: timedelta) -> None:
        self._checks = checks
        self._grace = grace

    async def step(self, schedule: DueSchedule) -> Step:
        """The notification that is due, or why there is none, and when the next one is. Nothing is stored."""
        notification = msgspec.convert(schedule.notification, RecurringNotification)
        zone = await self._zone(schedule, notification.user_id)
        recurrence = Recurrence(parse_rule(schedule.rrule), schedule.start_at_local)
        turn = turn_of(recurrence, zone, since=schedule.next_local, at=now(), grace=self._grace)
        row = problem = None
        if turn.due is not None:
            try:
                row = await self._row(schedule, as_request(notification), turn.due)
            except (Unprocessable, ContentTooLarge) as refusal:
                problem = ScheduleProblem(at=now(), code=refusal.code, detail=refusal.detail)
        return Step(schedule, zone.key, turn.following, row, turn.skipped, problem)

    async def _zone(self, schedule: DueSchedule, user_id: str) -> ZoneInfo:
        if schedule.time_zone is not None:
            return zone_named(schedule.time_zone)
        try:
            return await self._checks.zone_of(user_id)
        except (Unavailable, Unprocessable):
            # The clock that they had last will do, and whether they are still there is checked next.
            return zone_named(schedule.zone)

    async def _row(self, schedule: DueSchedule, request: NewNotification, due: Occurrence) -> NewRow:
        message = DeliveryMessage(
            notification_id=new_id(),
            request_id=f"{schedule.id}/{due.at:%Y-%m-%dT%H:%M:%SZ}",
            channel=request.channel,
            user_id=request.user_id,
            template_id=request.template_id,
            template_version=await self._checks.check(request),
            variables=request.variables,
            locale=request.locale,
            priority=request.priority,
            metadata=request.metadata,
            accepted_at=now(),
            email=enclosed(request).parts,
            sandbox=schedule.sandbox,
        )
        return NewRow(
            message=message,
            body=msgspec.json.encode(message),
            owner=schedule.owner,
            headers=trace_headers(),
            schedule_id=schedule.id,
        )


def as_request(notification: RecurringNotification) -> NewNotification:
    """The request that each occurrence stands for."""
    return NewNotification(**msgspec.structs.asdict(notification))
