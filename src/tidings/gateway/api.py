"""The public API."""

from typing import Annotated
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import Parameter

from tidings.contracts.http import Accepted, KeyCheck, KeyOwner, NewNotification, Notification, Notifications
from tidings.gateway.acceptance import Acceptance
from tidings.gateway.keys import ApiKeys
from tidings.gateway.store import GatewayStore
from tidings.kit.auth import Principal, requires
from tidings.kit.errors import Malformed, NotFound

IdempotencyKey = Annotated[
    str | None,
    Parameter(header="Idempotency-Key", required=False, max_length=257, description="kept for 24 hours"),
]
Cursor = Annotated[str | None, Parameter(required=False, description="`next_cursor` of the page before")]
Limit = Annotated[int, Parameter(ge=1, le=200, description="notifications on a page")]


@post(
    "/v1/notifications",
    guards=[requires("notifications:write")],
    status_code=202,
    tags=["notifications"],
    summary="Notify one person on one channel",
)
async def send(
    data: NewNotification,
    request: Request[Principal, None, State],
    acceptance: Acceptance,
    idempotency_key: IdempotencyKey = None,
) -> Response[Accepted]:
    """Answers 202 once the notification is committed: from then on it cannot be lost.

    The same key and body again answer the same, with `Idempotent-Replayed: true`; the same key with
    another body is a 422.
    """
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
)
async def read(notification_id: str, store: GatewayStore) -> Notification:
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
)
async def search(
    store: GatewayStore, request_id: str | None = None, cursor: Cursor = None, limit: Limit = 50
) -> Notifications:
    """All notifications, or those of one `request_id`, without timelines."""
    before = _as_cursor(cursor) if cursor else None
    found = await store.page(request_id=request_id, before=before, limit=limit + 1)
    more = len(found) > limit
    return Notifications(notifications=found[:limit], next_cursor=str(found[limit - 1].id) if more else None)


@post(
    "/internal/api-keys/check", guards=[requires("api-keys:check")], status_code=200, include_in_schema=False
)
async def check_key(data: KeyCheck, api_keys: ApiKeys) -> KeyOwner:
    """For our own services: whose key a caller showed them."""
    principal = await api_keys.check(data.key)
    if principal is None:
        raise NotFound("There is no such API key, or it was revoked", code="unknown_api_key")
    return KeyOwner(owner=principal.owner, scopes=sorted(principal.scopes))


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
