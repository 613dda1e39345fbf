"""Endpoints for callbacks over HTTP."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.callbacks import (
    CallbackEndpoint,
    CallbackEndpointPatch,
    CallbackEndpoints,
    CallbackEndpointWithSecret,
    NewCallbackEndpoint,
)
from tidings.gateway.callbacks import examples
from tidings.gateway.callbacks.access import endpoint_of, found_for, unknown
from tidings.gateway.callbacks.addresses import check_address
from tidings.gateway.callbacks.delivery_api import DELIVERY_ROUTES
from tidings.gateway.callbacks.running import Callbacks
from tidings.gateway.callbacks.signing import new_secret
from tidings.gateway.callbacks.store import MOST_ENDPOINTS
from tidings.gateway.reach import owner_for
from tidings.kit.auth import Principal, requires
from tidings.kit.cursors import position_of
from tidings.kit.errors import Conflict
from tidings.kit.examples import example_of
from tidings.kit.ids import now
from tidings.kit.problems import refusals

READ = [requires("callbacks:read")]
WRITE = [requires("callbacks:write")]
TAGS = ["callbacks"]
UNKNOWN = "`unknown_callback_endpoint`: or it belongs to another API key"
INVALID = "`invalid_request` or `forbidden_address`: `errors` names each field at fault"
PATH = "/v1/callback-endpoints"
ONE = PATH + "/{endpoint_id:str}"

Using = NamedDependency[Callbacks]
Asking = Request[Principal, None, State]
Cursor = Annotated[str | None, QueryParameter(description="the `next_cursor` of the page before")]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="how many endpoints to answer")]


@post(
    PATH,
    guards=WRITE,
    tags=TAGS,
    summary="Add an endpoint for callbacks",
    operation_class=example_of(request=examples.NEW, answer=examples.WITH_SECRET),
    responses=refusals({409: "`too_many_callback_endpoints`", 422: INVALID}),
)
async def add_endpoint(
    data: JSONBody[NewCallbackEndpoint], request: Asking, callbacks: Using
) -> Response[CallbackEndpointWithSecret]:
    """Have events of notifications that this API key sent posted to a URL. The secret is shown this once."""
    check_address(data.url, callbacks.policy.hosts)
    secret = new_secret()
    added = await callbacks.endpoints.add(request.user.owner, data, secret)
    if added is None:
        raise Conflict(
            f"This API key has {MOST_ENDPOINTS} endpoints, which is the most; delete one first",
            code="too_many_callback_endpoints",
        )
    await callbacks.subscriptions.try_refresh()
    return Response(_with_secret(added, secret), headers={"Location": f"{PATH}/{added.id}"})


@get(
    PATH,
    guards=READ,
    tags=TAGS,
    summary="List endpoints, newest first",
    operation_class=example_of(answer=examples.ENDPOINTS),
    responses=refusals({400: "`malformed_request` or `bad_cursor`", 422: "`invalid_request`"}),
)
async def list_endpoints(
    request: Asking, callbacks: Using, cursor: Cursor = None, limit: Limit = 50
) -> CallbackEndpoints:
    """The API key's own endpoints, and how they do; with the scope `*` everyone's."""
    found = await callbacks.endpoints.page(
        owner_for(request.user), before=position_of(cursor), limit=limit + 1
    )
    more = len(found) > limit
    return CallbackEndpoints(endpoints=found[:limit], next_cursor=str(found[limit - 1].id) if more else None)


@get(
    ONE,
    guards=READ,
    tags=TAGS,
    summary="Read an endpoint",
    operation_class=example_of(answer=examples.ENDPOINT),
    responses=refusals({404: UNKNOWN}),
)
async def read_endpoint(endpoint_id: FromPath[str], request: Asking, callbacks: Using) -> CallbackEndpoint:
    """One endpoint, without its secret."""
    return await found_for(request.user, callbacks.endpoints, endpoint_id)


@patch(
    ONE,
    guards=WRITE,
    tags=TAGS,
    summary="Change an endpoint",
    operation_class=example_of(request=examples.PATCH, answer=examples.ENDPOINT),
    responses=refusals({404: UNKNOWN, 422: INVALID}),
)
async def change_endpoint(
    endpoint_id: FromPath[str], data: JSONBody[CallbackEndpointPatch], request: Asking, callbacks: Using
) -> CallbackEndpoint:
    """What is left out stays. Disabled, an endpoint gets nothing, and what happens is kept as `missed`."""
    if isinstance(data.url, str):
        check_address(data.url, callbacks.policy.hosts)
    return await _changed(endpoint_id, data, request.user, callbacks)


@post(
    ONE + "/resume",
    status_code=HTTPStatus.OK,
    guards=WRITE,
    tags=TAGS,
    summary="End a suspension",
    operation_class=example_of(answer=examples.ENDPOINT),
    responses=refusals({404: UNKNOWN}),
)
async def resume_endpoint(endpoint_id: FromPath[str], request: Asking, callbacks: Using) -> CallbackEndpoint:
    """Post to it again from now on. `recover` also sends what it missed."""
    resumed = CallbackEndpointPatch(enabled=True)
    return await _changed(endpoint_id, resumed, request.user, callbacks, action="callback_endpoint.resumed")


@post(
    ONE + "/rotate-secret",
    status_code=HTTPStatus.OK,
    guards=WRITE,
    tags=TAGS,
    summary="Replace an endpoint's secret",
    operation_class=example_of(answer=examples.WITH_SECRET),
    responses=refusals({404: UNKNOWN}),
)
async def rotate_secret(
    endpoint_id: FromPath[str], request: Asking, callbacks: Using
) -> CallbackEndpointWithSecret:
    """The new secret is shown this once. For 24 hours callbacks are signed with the old one as well."""
    secret = new_secret()
    rotated = await callbacks.endpoints.rotate(
        endpoint_of(endpoint_id),
        owner_for(request.user),
        secret,
        old_until=now() + callbacks.policy.overlap,
        actor=request.user.owner,
    )
    if rotated is None:
        raise unknown(endpoint_id)
    return _with_secret(rotated, secret)


@delete(ONE, guards=WRITE, tags=TAGS, summary="Delete an endpoint", responses=refusals({404: UNKNOWN}))
async def remove_endpoint(endpoint_id: FromPath[str], request: Asking, callbacks: Using) -> None:
    """Nothing more is posted to it, not even what was on its way."""
    removed = await callbacks.endpoints.remove(
        endpoint_of(endpoint_id), owner_for(request.user), actor=request.user.owner
    )
    if not removed:
        raise unknown(endpoint_id)
    await callbacks.subscriptions.try_refresh()


CALLBACK_ROUTES: list[ControllerRouterHandler] = [
    add_endpoint,
    list_endpoints,
    read_endpoint,
    change_endpoint,
    resume_endpoint,
    rotate_secret,
    remove_endpoint,
    *DELIVERY_ROUTES,
]


async def _changed(
    endpoint_id: str,
    change: CallbackEndpointPatch,
    principal: Principal,
    callbacks: Callbacks,
    *,
    action: str = "callback_endpoint.changed",
) -> CallbackEndpoint:
    changed = await callbacks.endpoints.change(
        endpoint_of(endpoint_id), owner_for(principal), change, actor=principal.owner, action=action
    )
    if changed is None:
        raise unknown(endpoint_id)
    await callbacks.subscriptions.try_refresh()
    callbacks.dispatcher.wake()
    return changed


def _with_secret(endpoint: CallbackEndpoint, secret: str) -> CallbackEndpointWithSecret:
    return CallbackEndpointWithSecret(**msgspec.structs.asdict(endpoint), secret=secret)
