"""Why a notification is where it is, over HTTP."""

from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from tidings.contracts.explaining import Explanation
from tidings.gateway.explaining import examples
from tidings.gateway.explaining.store import ExplainingStore
from tidings.gateway.explaining.telling import explanation
from tidings.gateway.reach import reached
from tidings.gateway.reading_store import ReadingStore
from tidings.kit.auth import AuthenticatedRequest, requires
from tidings.kit.errors import NotFound
from tidings.kit.problems import refusals


@get(
    "/v1/notifications/{notification_id:str}/explain",
    guards=[requires("notifications:read")],
    tags=["notifications"],
    summary="Why a notification is where it is",
    responses={
        200: examples.EXPLAINED_ANSWER,
        **refusals({404: "`unknown_notification`", 503: "`database_unavailable`"}),
    },
)
async def explain(
    notification_id: FromPath[str],
    request: AuthenticatedRequest,
    reading: NamedDependency[ReadingStore],
    explaining: NamedDependency[ExplainingStore],
) -> Explanation:
    """Every decision that was made about it, in order; and if it waits, for what and until when."""
    known = _as_id(notification_id)
    found = reached(request.user, await reading.notification(known)) if known else None
    # Read second, so that no step of the timeline lacks its trace.
    background = await explaining.background(found.id) if found else None
    if found is None or background is None:
        raise NotFound(f"There is no notification {notification_id}", code="unknown_notification")
    return explanation(found, background)


EXPLAINING_ROUTES: list[ControllerRouterHandler] = [explain]


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
