"""What went to an endpoint and what did not, over HTTP."""

from http import HTTPStatus
from typing import Annotated

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.callbacks import (
    CallbackDeliveries,
    CallbackTest,
    DeliveryStatus,
    EndpointNews,
    EndpointStatus,
    EventType,
    Recovered,
    Recovery,
)
from tidings.gateway.callbacks import examples
from tidings.gateway.callbacks.access import found_for, unknown
from tidings.gateway.callbacks.outbox import endpoint_body
from tidings.gateway.callbacks.running import Callbacks
from tidings.kit.auth import Principal, requires
from tidings.kit.cursors import position_of
from tidings.kit.errors import Conflict
from tidings.kit.examples import example_of
from tidings.kit.ids import new_id
from tidings.kit.moments import storable_time
from tidings.kit.problems import refusals

TAGS = ["callbacks"]
UNKNOWN = "`unknown_callback_endpoint`: or it belongs to another API key"
ONE = "/v1/callback-endpoints/{endpoint_id:str}"
MOST_RECOVERED = 5_000

Using = NamedDependency[Callbacks]
Asking = Request[Principal, None, State]
Status = Annotated[DeliveryStatus | None, QueryParameter(description="only deliveries in this state")]
Cursor = Annotated[str | None, QueryParameter(description="the `next_cursor` of the page before")]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="how many deliveries to answer")]


@get(
    ONE + "/deliveries",
    guards=[requires("callbacks:read")],
    tags=TAGS,
    summary="List what went to an endpoint, newest first",
    operation_class=example_of(answer=examples.DELIVERIES),
    responses=refusals({400: "`malformed_request` or `bad_cursor`", 404: UNKNOWN, 422: "`invalid_request`"}),
)
async def list_deliveries(
    *,
    endpoint_id: FromPath[str],
    request: Asking,
    callbacks: Using,
    status: Status = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> CallbackDeliveries:
    """Events of the last 30 days, each with what the endpoint answered and how long it took."""
    endpoint = await found_for(request.user, callbacks.endpoints, endpoint_id)
    found = await callbacks.deliveries.page(
        endpoint.id, status=status, before=position_of(cursor), limit=limit + 1
    )
    more = len(found) > limit
    return CallbackDeliveries(
        deliveries=found[:limit], next_cursor=str(found[limit - 1].id) if more else None
    )


@post(
    ONE + "/test",
    status_code=HTTPStatus.OK,
    guards=[requires("callbacks:write")],
    tags=TAGS,
    summary="Post a test event",
    operation_class=example_of(answer=examples.TESTED),
    responses=refusals({404: UNKNOWN}),
)
async def post_test(endpoint_id: FromPath[str], request: Asking, callbacks: Using) -> CallbackTest:
    """Post a signed `callback_endpoint.test` now, and answer what the endpoint said. It is not repeated."""
    endpoint = await found_for(request.user, callbacks.endpoints, endpoint_id)
    known = await callbacks.endpoints.keys(endpoint.id)
    if known is None:
        raise unknown(endpoint_id)
    url, keys = known
    news = EndpointNews(id=endpoint.id, url=url, status=endpoint.status, because=endpoint.status_because)
    event_id = new_id()
    posted = await callbacks.courier.post(url, event_id, endpoint_body(EventType.TEST, news), keys)
    return CallbackTest(taken=posted.taken, event_id=event_id, attempt=posted.attempt)


@post(
    ONE + "/recover",
    status_code=HTTPStatus.OK,
    guards=[requires("callbacks:write")],
    tags=TAGS,
    summary="Send again what failed or was missed",
    operation_class=example_of(request=examples.SINCE, answer=examples.RECOVERED),
    responses=refusals(
        {404: UNKNOWN, 409: "`callback_endpoint_stopped`", 422: "`invalid_request` or `naive_time`"}
    ),
)
async def recover_endpoint(
    endpoint_id: FromPath[str], data: JSONBody[Recovery], request: Asking, callbacks: Using
) -> Recovered:
    """Up to 5,000 events from `since` on, oldest first, with their first ids and all their attempts anew."""
    since = storable_time("since", data.since)
    endpoint = await found_for(request.user, callbacks.endpoints, endpoint_id)
    if endpoint.status is not EndpointStatus.ACTIVE:
        raise Conflict(
            f"The endpoint is {endpoint.status}: POST /v1/callback-endpoints/{endpoint.id}/resume first",
            code="callback_endpoint_stopped",
        )
    recovered = await callbacks.deliveries.recover(
        endpoint.id, since, limit=MOST_RECOVERED, actor=request.user.owner
    )
    callbacks.dispatcher.wake()
    return Recovered(recovered=recovered, more=recovered == MOST_RECOVERED)


DELIVERY_ROUTES: list[ControllerRouterHandler] = [list_deliveries, post_test, recover_endpoint]
