"""Devices over HTTP."""

from typing import Annotated

from litestar import Response, delete, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.users import NewPushToken, PushToken
from tidings.kit.auth import AuthenticatedRequest, requires
from tidings.kit.errors import NotFound
from tidings.kit.examples import example_of
from tidings.kit.problems import refusals
from tidings.users import examples
from tidings.users.devices.rules import checked_device
from tidings.users.devices.store import DeviceStore
from tidings.users.validation import user_id_of, uuid_of

Devices = NamedDependency[DeviceStore]

WRITE = [requires("users:write")]

Reason = Annotated[
    str | None, QueryParameter(description="why it goes; the first 200 characters are kept with the token")
]


@post(
    "/users/{user_id:str}/tokens",
    guards=WRITE,
    tags=["devices"],
    summary="Register a device",
    operation_class=example_of(request=examples.NEW_DEVICE, answer=examples.DEVICE),
    responses={
        200: ResponseSpec(PushToken, description="The token was known; if another user had it, it moved"),
        **refusals(
            {
                404: "`unknown_user`",
                410: "`erased_user`",
                422: "`invalid_request`: `errors` names each field at fault",
            }
        ),
    },
)
async def add_token(
    user_id: FromPath[str],
    data: JSONBody[NewPushToken],
    device_store: Devices,
    request: AuthenticatedRequest,
) -> Response[PushToken]:
    """Register a push token or a Web Push subscription; an app does so at each of its starts.

    One that is known keeps its id, and moves here if another user had it. Of a person with too many
    devices, those not heard of for longest are removed.
    """
    token, is_new = await device_store.add_device(
        user_id_of(user_id), checked_device(data), actor=request.user.owner
    )
    return Response(token, status_code=201 if is_new else 200)


@delete(
    "/users/{user_id:str}/tokens/{token_id:str}",
    guards=WRITE,
    tags=["devices"],
    summary="Take a device away",
    responses=refusals({404: "`unknown_user` or `unknown_token`: not the form of an id"}),
)
async def remove_token(
    user_id: FromPath[str],
    token_id: FromPath[str],
    device_store: Devices,
    request: AuthenticatedRequest,
    reason: Reason = None,
) -> None:
    """Take a push token away and keep the reason. A token that is gone already is no error."""
    parsed = uuid_of(token_id)
    if parsed is None:
        raise NotFound(f"{token_id} is not the id of a token", code="unknown_token")
    await device_store.remove_device(user_id_of(user_id), parsed, reason, actor=request.user.owner)


ROUTES: list[ControllerRouterHandler] = [add_token, remove_token]
