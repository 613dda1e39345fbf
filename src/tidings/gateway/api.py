"""The public API."""

from typing import Annotated
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.keys import KeyCheck, KeyOwner
from tidings.contracts.notifications import Accepted, NewNotification, Notification, Notifications
from tidings.gateway.acceptance import Acceptance
from tidings.gateway.keys import ApiKeys
from tidings.gateway.store import GatewayStore
from tidings.kit.auth import Principal, requires
from tidings.kit.errors import Malformed, NotFound
from tidings.kit.problems import refusals

Accepting = NamedDependency[Acceptance]
Store = NamedDependency[GatewayStore]
Keys = NamedDependency[ApiKeys]

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key", max_length=257, description="instead of `request_id`; kept for 24 hours"
    ),
]
RequestId = Annotated[str | None, QueryParameter(description="only those of one `request_id`")]
Cursor = Annotated[str | None, QueryParameter(description="the `next_cursor` of the page before")]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="how many notifications to answer")]

UNPROCESSABLE = (
    "`invalid_request`, `missing_request_id`, `unknown_user`, `unknown_template`, `template_lacks_channel`,"
    " `archived_template`, `missing_variable`, `invalid_variables`, `naive_time`, `already_expired` or"
    " `idempotency_key_reused`:"
    " `errors` names each field at fault"
)


@post(
    "/v1/notifications",
    guards=[requires("notifications:write")],
    status_code=202,
    tags=["notifications"],
    summary="Notify one person on one channel",
    responses=refusals({413: "`body_too_large`", 422: UNPROCESSABLE, 503: "`database_unavailable`"}),
)
async def send(
    data: JSONBody[NewNotification],
    request: Request[Principal, None, State],
    acceptance: Accepting,
    idempotency_key: IdempotencyKey = None,
) -> Response[Accepted]:
    """Answers 202 once the notification is committed: from then on it cannot be lost.

    The same key and body again answer the same, with `Idempotent-Replayed: true`; the same key with
    another body is a 422.
    """
    # The draft standard makes the key a quoted string; most clients send it bare.
    key = idempotency_key.strip('"') if idempotency_key else None
    accepted, replayed = await acceptance.accept(data, key, request.user)
    headers = {"Location": f"/v1/notifications/{accepted.id}"}
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(accepted, status_code=202, headers=headers)


@get(
    "/v1/notifications/{notification_id:str}",
    guards=[requires("notifications:read")],
    tags=["notifications"],
    summary="A notification with its timeline",
    responses=refusals({404: "`unknown_notification`"}),
)
async def read(notification_id: FromPath[str], store: Store) -> Notification:
    """The present state, and every step that led to it."""
    found = await store.notification(_as_id(notification_id))
    if found is None:
        raise _unknown(notification_id)
    return found


@get(
    "/v1/notifications",
    guards=[requires("notifications:read")],
    tags=["notifications"],
    summary="Notifications, newest first",
    responses=refusals({422: "`invalid_request`"}),
)
async def search(
    store: Store, request_id: RequestId = None, cursor: Cursor = None, limit: Limit = 50
) -> Notifications:
    """All notifications, or those of one `request_id`, without timelines."""
    before = _as_cursor(cursor) if cursor else None
    found = await store.page(request_id=request_id, before=before, limit=limit + 1)
    more = len(found) > limit
    return Notifications(notifications=found[:limit], next_cursor=str(found[limit - 1].id) if more else None)


@post(
    "/internal/api-keys/check", guards=[requires("api-keys:check")], status_code=200, include_in_schema=False
)
async def check_key(data: JSONBody[KeyCheck], api_keys: Keys) -> KeyOwner:
    """For our own services: whose key a caller showed them."""
    principal = await api_keys.check(data.key)
    if principal is None:
        raise NotFound("There is no such API key, or it was revoked", code="unknown_api_key")
    return KeyOwner(owner=principal.owner, scopes=sorted(principal.scopes))


ROUTES: list[ControllerRouterHandler] = [send, read, search, check_key]


def _as_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise _unknown(text) from error


def _as_cursor(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Malformed("This cursor is not one we gave; start without it", code="bad_cursor") from error


def _unknown(notification_id: str) -> NotFound:
    return NotFound(f"There is no notification {notification_id}", code="unknown_notification")
