"""Making notifications of what is due of a schedule, checked and counted as a new request is."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import msgspec

from tidings.contracts.notifications import NewNotification
from tidings.contracts.schedules import RecurringNotification, ScheduleProblem
from tidings.gateway.acceptance import Acceptance
from tidings.gateway.checking import RequestChecks
from tidings.gateway.fingerprints import fingerprint_of
from tidings.gateway.limits.tally import CallerLimits
from tidings.gateway.schedules.occurrences import Occurrence, Recurrence
from tidings.gateway.schedules.rule import parse_rule
from tidings.gateway.schedules.turning import turn_of
from tidings.gateway.schedules.working_store import DueSchedule, Step
from tidings.kit.auth import Principal
from tidings.kit.errors import ContentTooLarge, ProblemError, TooManyRequests, Unavailable, Unprocessable
from tidings.kit.ids import now
from tidings.kit.wall_clock import zone_named


class Maker:
    """Decides what becomes of a schedule that is due. `grace`: how late its notifications may be."""

    def __init__(
        self, acceptance: Acceptance, checks: RequestChecks, limits: CallerLimits, *, grace: timedelta
    ) -> None:
        self._acceptance = acceptance
        self._checks = checks
        self._limits = limits
        self._grace = grace

    async def step(self, schedule: DueSchedule) -> Step:
        """The notifications that are due, or why there are none, and when the next ones are.

        Nothing is stored. The notifications are counted against the limits of the schedule's key, for
        whoever does not store them to give back.
        """
        notification = msgspec.convert(schedule.notification, RecurringNotification)
        zone = await self._zone(schedule, notification.user_id)
        recurrence = Recurrence(parse_rule(schedule.rrule), schedule.start_at_local)
        turn = turn_of(recurrence, zone, since=schedule.next_local, at=now(), grace=self._grace)
        step = Step(schedule, zone.key, turn.following, skipped=turn.skipped)
        if turn.due is None:
            return step
        try:
            return await self._with_rows(step, notification, turn.due)
        except TooManyRequests as refusal:
            return replace(step, problem=_problem(refusal), limited=True)
        except (Unprocessable, ContentTooLarge) as refusal:
            return replace(step, problem=_problem(refusal))

    async def _zone(self, schedule: DueSchedule, user_id: str) -> ZoneInfo:
        if schedule.time_zone is not None:
            return zone_named(schedule.time_zone)
        try:
            return await self._checks.zone_of(user_id)
        except (Unavailable, Unprocessable):
            # The clock that they had last will do, and whether they are still there is checked next.
            return zone_named(schedule.zone)

    async def _with_rows(self, step: Step, notification: RecurringNotification, due: Occurrence) -> Step:
        schedule = step.schedule
        key = f"{schedule.id}/{due.at:%Y-%m-%dT%H:%M:%SZ}"
        request = as_request(notification, request_id=key)
        # What it makes is the key's own, whatever the key may do by now.
        caller = Principal(owner=schedule.owner, kind="api_key", scopes=frozenset(), sandbox=schedule.sandbox)
        used = fingerprint_of(request, key)
        submission = await self._acceptance.prepared(request, key, used, caller, schedule_id=schedule.id)
        channels = [row.message.channel for row in submission.rows]
        # Last, so that what is refused for itself is not counted.
        tally = self._limits.tally(caller, asked=False)
        counted = await tally.count_notifications(request.user_id, channels)
        return replace(step, rows=submission.rows, counted=counted)


def as_request(notification: RecurringNotification, *, request_id: str | None = None) -> NewNotification:
    """The request that each occurrence stands for."""
    return NewNotification(request_id=request_id, **msgspec.structs.asdict(notification))


def _problem(refusal: ProblemError) -> ScheduleProblem:
    return ScheduleProblem(at=now(), code=refusal.code, detail=refusal.detail)
