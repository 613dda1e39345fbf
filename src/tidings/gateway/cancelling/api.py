"""The HTTP side of cancelling: one notification, or many."""

from uuid import UUID

from litestar import Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from tidings.contracts.cancels import CancelAnswer, NewCancel, NewCancels
from tidings.contracts.notifications import Notification
from tidings.gateway.cancelling import examples
from tidings.gateway.cancelling.deciding import Canceller
from tidings.gateway.reading_store import ReadingStore
from tidings.kit.auth import Principal, requires
from tidings.kit.errors import FieldFault, NotFound, Unprocessable
from tidings.kit.examples import example_of
from tidings.kit.problems import refusals

Cancelling = NamedDependency[Canceller]
Caller = Request[Principal, None, State]
_WAYS = ("group_id", "schedule_id", "request_ids")


@post(
    "/v1/notifications/{notification_id:str}/cancel",
    guards=[requires("notifications:write")],
    status_code=200,
    tags=["notifications"],
    summary="Cancel a notification",
    operation_class=example_of(request=examples.NEW_CANCEL, answer=examples.CANCELLED),
    responses=refusals(
        {
            404: "`unknown_notification`",
            409: "`already_sending` or `already_settled`: `detail` says in which state it is",
            422: "`invalid_request`: `errors` names each field at fault",
            503: "`database_unavailable` or `cache_unavailable`: it may still be sent, so ask again",
        }
    ),
)
async def cancel(
    notification_id: FromPath[str],
    request: Caller,
    canceller: Cancelling,
    reading: NamedDependency[ReadingStore],
    data: JSONBody[NewCancel | None] = None,
) -> Notification:
    """200: it is never sent. 409: it is being sent, or is settled. Cancelled once more, it is 200 again.

    A fallback that waits for it is cancelled with it.
    """
    try:
        known_id = UUID(notification_id)
    except ValueError as error:
        raise _unknown(notification_id) from error
    await canceller.cancel(known_id, data.reason if data else None, request.user)
    found = await reading.notification(known_id)
    if found is None:  # deleted at this very moment
        raise _unknown(notification_id)
    return found


@post(
    "/v1/notifications/cancel",
    guards=[requires("notifications:write")],
    status_code=200,
    tags=["notifications"],
    summary="Cancel up to 1,000 notifications",
    operation_class=example_of(request=examples.NEW_CANCELS, answer=examples.ANSWER),
    responses=refusals(
        {
            422: "`invalid_request`: `errors` names each field at fault",
            503: "`database_unavailable`: they may still be sent, so ask again",
        }
    ),
)
async def cancel_many(data: JSONBody[NewCancels], request: Caller, canceller: Cancelling) -> CancelAnswer:
    """Those of one group, of one schedule, or of `request_ids`: each is cancelled or refused for itself.

    `request_ids` are those of this API key; with the scope `*` everyone's. Of a schedule only those that
    wait are meant. While `left` is above 0, ask again.
    """
    if sum(getattr(data, way) is not None for way in _WAYS) != 1:
        words = "Give exactly one of `group_id`, `schedule_id` and `request_ids`"
        fault = FieldFault(field="$", message=words)
        raise Unprocessable(f"The request does not fit: {words}", code="invalid_request", errors=[fault])
    return await canceller.cancel_many(data, request.user)


CANCEL_ROUTES: list[ControllerRouterHandler] = [cancel, cancel_many]


def _unknown(notification_id: str) -> NotFound:
    return NotFound(f"There is no notification {notification_id}", code="unknown_notification")
