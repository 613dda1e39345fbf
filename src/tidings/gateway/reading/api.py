"""Looking through notifications."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from tidings.contracts.notifications import Notifications
from tidings.gateway import examples
from tidings.gateway.reading.asking import BY_QUERY
from tidings.gateway.reading.filtering import NotificationFilter
from tidings.gateway.reading_store import ReadingStore
from tidings.kit.auth import AuthenticatedRequest, requires
from tidings.kit.cursors import position_of
from tidings.kit.problems import refusals

Cursor = Annotated[str | None, QueryParameter(description="the `next_cursor` of the page before")]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="how many notifications to answer")]


@get(
    "/v1/notifications",
    guards=[requires("notifications:read")],
    tags=["notifications"],
    summary="Notifications, newest first",
    dependencies=BY_QUERY,
    responses={
        200: examples.PAGE_ANSWER,
        **refusals(
            {
                400: "`malformed_request` or `bad_cursor`",
                422: "`invalid_request` or `naive_time`: `errors` names each field at fault",
                503: "`database_unavailable`",
            }
        ),
    },
)
async def search(
    wanted: NamedDependency[NotificationFilter],
    request: AuthenticatedRequest,
    reading: NamedDependency[ReadingStore],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Notifications:
    """Those to which every filter given applies, without their timelines."""
    found = await reading.page(
        wanted, before=position_of(cursor), limit=limit + 1, only_tests=request.user.sandbox
    )
    more = len(found) > limit
    return Notifications(notifications=found[:limit], next_cursor=str(found[limit - 1].id) if more else None)
