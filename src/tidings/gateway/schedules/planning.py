"""Taking schedules, and looking ahead: what is refused of one at once, and when it has its next moments."""

from itertools import islice
from zoneinfo import ZoneInfo

import msgspec

from tidings.contracts.schedules import NewSchedule, Schedule
from tidings.gateway.checking import RequestChecks
from tidings.gateway.email_options import enclosed
from tidings.gateway.fingerprints import storable
from tidings.gateway.schedules.making import as_request
from tidings.gateway.schedules.occurrences import Occurrence, Recurrence
from tidings.gateway.schedules.rule import Rule, parse_rule
from tidings.gateway.schedules.store import Kept
from tidings.gateway.schedules.turning import first_after
from tidings.gateway.sending_time import LONGEST_AHEAD, too_far_ahead
from tidings.kit.errors import FieldFault, Unprocessable
from tidings.kit.ids import now
from tidings.kit.wall_clock import zone_named

SHOWN_MOMENTS = 5
_BY_URL = "A schedule keeps no files. Give its attachments by `url`: they are fetched anew each time"


class Planner:
    """Says of schedules when they have their first and next occurrences."""

    def __init__(self, checks: RequestChecks) -> None:
        self._checks = checks

    async def first_of(self, new: NewSchedule) -> tuple[ZoneInfo, Occurrence]:
        """Where and when a new schedule begins.

        Raises:
            Unprocessable: it is none, it never begins, or what it sends could never be delivered.
            ContentTooLarge: what it sends is more than we keep.
            Unavailable: the user service, which knows the recipient's time zone, does not answer.
        """
        rule = _rule(new)
        _refuse_odd_start(new)
        await self._check_notification(new)
        zone = await self._zone(new.time_zone, new.notification.user_id)
        return zone, _first(Recurrence(rule, new.start_at_local), zone)

    async def next_of(self, schedule: Schedule) -> tuple[ZoneInfo, Occurrence]:
        """Where and when a schedule has its first occurrence from now on.

        Raises:
            Unprocessable: it has none, or its recipient is gone.
            Unavailable: the user service, which knows the recipient's time zone, does not answer.
        """
        zone = await self._zone(schedule.time_zone, schedule.notification.user_id)
        return zone, _first(_recurrence(schedule), zone)

    async def _zone(self, time_zone: str | None, user_id: str) -> ZoneInfo:
        if time_zone is None:
            return await self._checks.zone_of(user_id)
        try:
            return zone_named(time_zone)
        except ValueError as error:
            raise _unfit("invalid_request", "$.time_zone", str(error)) from error

    async def _check_notification(self, new: NewSchedule) -> None:
        _refuse_content(new)
        try:
            request = as_request(new.notification)
            storable(request)
            enclosed(request)
            await self._checks.check(request)
        except Unprocessable as error:
            error.errors = [_within(fault) for fault in error.errors]
            raise


def with_moments(kept: Kept) -> Schedule:
    """The schedule with its next five moments."""
    schedule = kept.schedule
    if kept.next_local is None:
        return schedule
    found = _recurrence(schedule).occurrences(ZoneInfo(kept.zone), since=kept.next_local)
    return msgspec.structs.replace(schedule, next_at=[one.at for one in islice(found, SHOWN_MOMENTS)])


def _first(recurrence: Recurrence, zone: ZoneInfo) -> Occurrence:
    first = first_after(recurrence, zone, now())
    if first is None:
        raise _unfit("no_occurrence", "$.rrule", "The rule has no occurrence in the next five years")
    return first


def _recurrence(schedule: Schedule) -> Recurrence:
    return Recurrence(parse_rule(schedule.rrule), schedule.start_at_local)


def _rule(new: NewSchedule) -> Rule:
    try:
        return parse_rule(new.rrule)
    except ValueError as error:
        raise _unfit("invalid_rule", "$.rrule", str(error)) from error


def _refuse_odd_start(new: NewSchedule) -> None:
    # By the clock in UTC: nobody minds by which clock a year is over.
    ahead = new.start_at_local - now().replace(tzinfo=None)
    if ahead > LONGEST_AHEAD:
        raise too_far_ahead("$.start_at_local")
    if ahead < -LONGEST_AHEAD:
        words = f"This is more than {LONGEST_AHEAD.days} days ago. Begin with a later occurrence"
        raise _unfit("invalid_request", "$.start_at_local", words)


def _refuse_content(new: NewSchedule) -> None:
    attachments = new.notification.email.attachments if new.notification.email else []
    for number, one in enumerate(attachments):
        if one.content is not None:
            field = f"$.notification.email.attachments[{number}].content"
            raise _unfit("invalid_request", field, _BY_URL)


def _within(fault: FieldFault) -> FieldFault:
    return FieldFault(field=f"$.notification{fault.field.removeprefix('$')}", message=fault.message)


def _unfit(code: str, field: str, words: str) -> Unprocessable:
    return Unprocessable(words, code=code, errors=[FieldFault(field=field, message=words)])
