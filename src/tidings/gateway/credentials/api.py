"""The HTTP side of API keys."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.keys import (
    ApiKey,
    ApiKeys,
    IssuedApiKey,
    KeyCheck,
    KeyOwner,
    KeyRotation,
    NewApiKey,
)
from tidings.contracts.scopes import Scope
from tidings.gateway.credentials.checking import ApiKeys as KeyChecks
from tidings.gateway.credentials.managing import KeyManagement, issued
from tidings.gateway.credentials.store import KeyStore
from tidings.kit.auth import Principal, only_services, requires
from tidings.kit.cursors import position_of
from tidings.kit.errors import NotFound
from tidings.kit.examples import example_of
from tidings.kit.problems import refusals

READ = [requires("api-keys:read")]
WRITE = [requires("api-keys:write")]
TAGS = ["api keys"]
SHOWN_ONCE = {"Cache-Control": "no-store"}
INVALID = "`invalid_request`: `errors` names each field at fault"
UNKNOWN = "`unknown_api_key`: there is no key with this id"
CANNOT_GRANT = "`missing_scope` or `cannot_grant`: nobody can hand on what they may not do themselves"
UNAVAILABLE = "`database_unavailable`"

NEW = NewApiKey(name="billing", scopes=[Scope.NOTIFICATIONS_WRITE, Scope.USERS_READ])
EXAMPLE = ApiKey(
    id=UUID("01990c3e-8a10-7b2f-9c64-2d1e0f3a4b5c"),
    name="billing",
    prefix="tdg_live_Jx3k",
    scopes=["notifications:write", "users:read"],
    mode="live",
    created_at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
)
ISSUED = issued(EXAMPLE, "tdg_live_Jx3k and 39 characters more")

Caller = Request[Principal, None, State]
Management = NamedDependency[KeyManagement]
Cursor = Annotated[str | None, QueryParameter(description="the `next_cursor` of the page before")]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="how many keys to answer")]
Force = Annotated[bool, QueryParameter(description="revoke it even if it is the last that may make keys")]


@post(
    "/v1/api-keys",
    guards=WRITE,
    tags=TAGS,
    summary="Make an API key",
    operation_class=example_of(request=NEW, answer=ISSUED),
    responses=refusals({403: CANNOT_GRANT, 422: INVALID, 503: UNAVAILABLE}),
)
async def create_key(
    data: JSONBody[NewApiKey], request: Caller, key_management: Management
) -> Response[IssuedApiKey]:
    """The secret is in this answer and nowhere else: what is stored cannot be turned back into it."""
    made = await key_management.create(data, request.user)
    headers = SHOWN_ONCE | {"Location": f"/v1/api-keys/{made.id}"}
    return Response(made, status_code=201, headers=headers)


@get(
    "/v1/api-keys",
    guards=READ,
    tags=TAGS,
    summary="API keys, newest first",
    operation_class=example_of(answer=ApiKeys(api_keys=[EXAMPLE])),
    responses=refusals({400: "`malformed_request` or `bad_cursor`", 422: INVALID, 503: UNAVAILABLE}),
)
async def list_keys(
    key_store: NamedDependency[KeyStore], cursor: Cursor = None, limit: Limit = 50
) -> ApiKeys:
    """All keys, also those that are revoked or have expired, without their secrets."""
    found = await key_store.page(before=position_of(cursor), limit=limit + 1)
    more = len(found) > limit
    return ApiKeys(api_keys=found[:limit], next_cursor=str(found[limit - 1].id) if more else None)


@get(
    "/v1/api-keys/{key_id:uuid}",
    guards=READ,
    tags=TAGS,
    summary="An API key",
    operation_class=example_of(answer=EXAMPLE),
    responses=refusals({404: UNKNOWN, 503: UNAVAILABLE}),
)
async def read_key(key_id: FromPath[UUID], key_management: Management) -> ApiKey:
    """One key without its secret, also when it is revoked or has expired."""
    return await key_management.find(key_id)


@post(
    "/v1/api-keys/{key_id:uuid}/rotate",
    guards=WRITE,
    status_code=200,
    tags=TAGS,
    summary="Give an API key another secret",
    operation_class=example_of(request=KeyRotation(overlap_seconds=3_600), answer=ISSUED),
    responses=refusals(
        {
            403: CANNOT_GRANT,
            404: UNKNOWN,
            409: "`ended_api_key`: it was revoked or has expired",
            422: INVALID,
            503: UNAVAILABLE,
        }
    ),
)
async def rotate_key(
    key_id: FromPath[UUID], data: JSONBody[KeyRotation], request: Caller, key_management: Management
) -> Response[IssuedApiKey]:
    """The old secret stays good for `overlap_seconds`; 0 ends it, and those before it, within 10 s."""
    return Response(await key_management.rotate(key_id, data, request.user), headers=SHOWN_ONCE)


@delete(
    "/v1/api-keys/{key_id:uuid}",
    guards=WRITE,
    tags=TAGS,
    summary="Revoke an API key",
    responses=refusals(
        {
            403: "`missing_scope` or `cannot_grant`: a test key cannot revoke a live one",
            404: UNKNOWN,
            409: "`last_api_key`: nobody could make keys any more",
            422: INVALID,
            503: UNAVAILABLE,
        }
    ),
)
async def revoke_key(
    key_id: FromPath[UUID], request: Caller, key_management: Management, *, force: Force = False
) -> None:
    """It ends at every gateway within 10 s, and at other services within 40 s. Twice is no error."""
    await key_management.revoke(key_id, request.user, force=force)


@post(
    "/internal/api-keys/check",
    guards=[requires("api-keys:check"), only_services],
    status_code=200,
    include_in_schema=False,
)
async def check_key(data: JSONBody[KeyCheck], api_keys: NamedDependency[KeyChecks]) -> KeyOwner:
    """For our own services: whose key a caller showed them."""
    principal = await api_keys.check(data.key)
    if principal is None:
        raise NotFound("There is no such API key, or it was revoked", code="unknown_api_key")
    return KeyOwner(owner=principal.owner, scopes=sorted(principal.scopes), sandbox=principal.sandbox)


ROUTES: list[ControllerRouterHandler] = [create_key, list_keys, read_key, rotate_key, revoke_key, check_key]
