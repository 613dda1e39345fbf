"""Schedules over HTTP."""

from http import HTTPStatus
from typing import Annotated

from litestar import Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.schedules import NewSchedule, Schedule, Schedules, ScheduleStatus
from tidings.gateway.reach import owner_for
from tidings.gateway.schedules import examples
from tidings.gateway.schedules.access import found_for
from tidings.gateway.schedules.planning import Planner, with_moments
from tidings.gateway.schedules.store import MOST_SCHEDULES, ScheduleStore
from tidings.kit.auth import Principal, requires
from tidings.kit.cursors import position_of
from tidings.kit.errors import Conflict
from tidings.kit.examples import example_of
from tidings.kit.problems import refusals

READ = [requires("notifications:read")]
WRITE = [requires("notifications:write")]
TAGS = ["schedules"]
PATH = "/v1/schedules"
ONE = PATH + "/{schedule_id:str}"
UNKNOWN = "`unknown_schedule`: or it belongs to another API key"
DOWN = "`database_unavailable`"
AWAY = "`database_unavailable`, or `users_unavailable`: the recipient's time zone is not known now"
INVALID = (
    "`invalid_request`, `invalid_rule`, `no_occurrence`, `too_far_ahead`, `unknown_user`, `unknown_template`,"
    " `template_lacks_channel`, `archived_template`, `missing_variable`, `invalid_variables` or"
    " `repeated_channel`: `errors` names each field at fault"
)

Keeping = NamedDependency[ScheduleStore]
Planning = NamedDependency[Planner]
Asking = Request[Principal, None, State]
Cursor = Annotated[str | None, QueryParameter(description="the `next_cursor` of the page before")]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="how many schedules to answer")]
InState = Annotated[ScheduleStatus | None, QueryParameter(description="only those in this state")]


@post(
    PATH,
    guards=WRITE,
    tags=TAGS,
    summary="Notify a person again and again",
    operation_class=example_of(request=examples.NEW, answer=examples.SCHEDULE),
    responses=refusals({409: "`too_many_schedules`", 413: "`body_too_large`", 422: INVALID, 503: AWAY}),
)
async def add_schedule(
    data: JSONBody[NewSchedule], request: Asking, schedules: Keeping, planner: Planning
) -> Response[Schedule]:
    """Each occurrence becomes one notification, on the wall clock that the schedule goes by."""
    zone, first = await planner.first_of(data)
    added = await schedules.add(request.user, data, zone.key, first)
    if added is None:
        words = f"This API key has {MOST_SCHEDULES:,} schedules, which is the most. End one first"
        raise Conflict(words, code="too_many_schedules")
    schedule = with_moments(added)
    return Response(schedule, headers={"Location": f"{PATH}/{schedule.id}"})


@get(
    PATH,
    guards=READ,
    tags=TAGS,
    summary="List schedules, newest first",
    operation_class=example_of(answer=examples.SCHEDULES),
    responses=refusals(
        {400: "`malformed_request` or `bad_cursor`", 422: "`invalid_request`", 503: DOWN},
    ),
)
async def list_schedules(
    *,
    request: Asking,
    schedules: Keeping,
    status: InState = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Schedules:
    """The API key's own schedules, each with its next moment; with the scope `*` everyone's."""
    found = await schedules.page(
        owner_for(request.user), status=status, before=position_of(cursor), limit=limit + 1
    )
    more = len(found) > limit
    return Schedules(schedules=found[:limit], next_cursor=str(found[limit - 1].id) if more else None)


@get(
    ONE,
    guards=READ,
    tags=TAGS,
    summary="Read a schedule",
    operation_class=example_of(answer=examples.SCHEDULE),
    responses=refusals({404: UNKNOWN, 503: DOWN}),
)
async def read_schedule(schedule_id: FromPath[str], request: Asking, schedules: Keeping) -> Schedule:
    """A schedule with its next five moments."""
    return with_moments(await found_for(request.user, schedules, schedule_id))


@post(
    ONE + "/pause",
    status_code=HTTPStatus.OK,
    guards=WRITE,
    tags=TAGS,
    summary="Pause a schedule",
    operation_class=example_of(answer=examples.SCHEDULE),
    responses=refusals({404: UNKNOWN, 409: "`schedule_ended`", 503: DOWN}),
)
async def pause_schedule(schedule_id: FromPath[str], request: Asking, schedules: Keeping) -> Schedule:
    """Nothing is sent until it is resumed. Pausing it again is harmless."""
    found = await found_for(request.user, schedules, schedule_id)
    await schedules.pause(found.schedule.id, actor=request.user.owner)
    return await _going_on(schedule_id, request.user, schedules)


@post(
    ONE + "/resume",
    status_code=HTTPStatus.OK,
    guards=WRITE,
    tags=TAGS,
    summary="Resume a schedule",
    operation_class=example_of(answer=examples.SCHEDULE),
    responses=refusals(
        {404: UNKNOWN, 409: "`schedule_ended`", 422: "`no_occurrence` or `unknown_user`", 503: AWAY}
    ),
)
async def resume_schedule(
    schedule_id: FromPath[str], request: Asking, schedules: Keeping, planner: Planning
) -> Schedule:
    """Go on with the next occurrence. What fell into the pause is not made up for."""
    found = await found_for(request.user, schedules, schedule_id)
    if found.schedule.status is ScheduleStatus.PAUSED:
        zone, first = await planner.next_of(found.schedule)
        await schedules.resume(found.schedule.id, zone.key, first, actor=request.user.owner)
    return await _going_on(schedule_id, request.user, schedules)


@delete(ONE, guards=WRITE, tags=TAGS, summary="End a schedule", responses=refusals({404: UNKNOWN, 503: DOWN}))
async def end_schedule(schedule_id: FromPath[str], request: Asking, schedules: Keeping) -> None:
    """Nothing more is sent, for ever. The notifications that it made stay as they are."""
    found = await found_for(request.user, schedules, schedule_id)
    await schedules.end(found.schedule.id, actor=request.user.owner)


SCHEDULE_ROUTES: list[ControllerRouterHandler] = [
    add_schedule,
    list_schedules,
    read_schedule,
    pause_schedule,
    resume_schedule,
    end_schedule,
]


async def _going_on(schedule_id: str, principal: Principal, schedules: ScheduleStore) -> Schedule:
    """The schedule as it is now.

    Raises:
        Conflict: it has ended.
    """
    schedule = with_moments(await found_for(principal, schedules, schedule_id))
    if schedule.status is ScheduleStatus.ENDED:
        words = f"The schedule {schedule_id} has ended. Make another one"
        raise Conflict(words, code="schedule_ended")
    return schedule
