"""People over HTTP."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.users import NewUser, User, UserExport, UserPatch, Users
from tidings.kit.auth import AuthenticatedRequest, requires
from tidings.kit.errors import FieldFault
from tidings.kit.examples import example_of
from tidings.kit.problems import refusals
from tidings.users import examples
from tidings.users.cursors import cursor_after, position_of
from tidings.users.people.store import PageQuery, UserStore
from tidings.users.validation import NO_NUL, checked_user, normal_locale, refuse, unfit, user_id_of

Store = NamedDependency[UserStore]

READ = [requires("users:read")]
WRITE = [requires("users:write")]
TAGS = ["users"]

UNKNOWN_USER = "`unknown_user`"
ERASED_USER = "`erased_user`"
INVALID = "`invalid_request`: `errors` names each field at fault"
TAKEN = "`external_id_taken`"

ExternalIdInPath = Annotated[str, PathParameter(min_length=1, max_length=200)]
Text = Annotated[str | None, QueryParameter(max_length=254)]
Moment = Annotated[datetime | None, QueryParameter(description="with its UTC offset (RFC 3339)")]
Cursor = Annotated[str | None, QueryParameter(description="the `next_cursor` of the page before")]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="how many people to answer")]


@post(
    "/users",
    guards=WRITE,
    tags=TAGS,
    summary="Add a person",
    operation_class=example_of(request=examples.NEW_ADA, answer=examples.ADA),
    responses=refusals({409: TAKEN, 422: INVALID}),
)
async def add_user(data: JSONBody[NewUser], store: Store, request: AuthenticatedRequest) -> Response[User]:
    """Store a person. The email address is normalised, and not tried."""
    user = await store.add_user(checked_user(data), actor=request.user.owner)
    # Relative (RFC 9110, section 10.2.2), so that it is also right behind the gateway's /v1.
    return Response(user, headers={"Location": f"users/{user.id}"})


@put(
    "/users/external/{external_id:str}",
    guards=WRITE,
    tags=TAGS,
    summary="Add or replace a person by your own id",
    operation_class=example_of(request=examples.NEW_ADA, answer=examples.ADA),
    responses={201: ResponseSpec(User, description="The person is new"), **refusals({422: INVALID})},
)
async def put_user(
    external_id: ExternalIdInPath, data: JSONBody[NewUser], store: Store, request: AuthenticatedRequest
) -> Response[User]:
    """Store a person under the id your own system has for them. Preferences and devices stay.

    What the body leaves out is cleared; `PATCH` leaves it as it is. An id with a slash has no place in a
    path: import such people, or `POST` them.
    """
    if data.external_id not in {None, external_id}:
        refuse([FieldFault(field="$.external_id", message="The path has another external id; leave it out")])
    new = checked_user(msgspec.structs.replace(data, external_id=external_id))
    user, is_new = await store.put_user(new, actor=request.user.owner)
    headers = {"Location": f"../{user.id}"}
    return Response(user, status_code=201 if is_new else 200, headers=headers)


@get(
    "/users",
    guards=READ,
    tags=TAGS,
    summary="List people, newest first",
    operation_class=example_of(answer=examples.PEOPLE),
    responses=refusals({400: "`malformed_request` or `bad_cursor`", 422: INVALID}),
)
async def list_users(
    *,
    store: Store,
    email: Text = None,
    locale: Text = None,
    external_id: Text = None,
    created_from: Moment = None,
    created_to: Moment = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Users:
    """Those to whom every filter given applies: an address whatever its case, added from and before a time.

    Erased people are not listed.
    """
    query = PageQuery(
        email=_text("email", email),
        locale=_locale(locale),
        external_id=_text("external_id", external_id),
        created_from=_moment("created_from", created_from),
        created_to=_moment("created_to", created_to),
        after=position_of(cursor) if cursor else None,
        limit=limit + 1,
    )
    found = await store.page(query)
    more = len(found) > limit
    return Users(users=found[:limit], next_cursor=cursor_after(found[limit - 1]) if more else None)


@get(
    "/users/{user_id:str}",
    guards=READ,
    tags=TAGS,
    summary="Read a person",
    operation_class=example_of(answer=examples.ADA),
    responses=refusals({404: UNKNOWN_USER}),
)
async def read_user(user_id: FromPath[str], store: Store) -> User:
    """A person with preferences and devices; of an erased one the id and the times."""
    return await store.user(user_id_of(user_id))


@patch(
    "/users/{user_id:str}",
    guards=WRITE,
    tags=TAGS,
    summary="Change a person",
    operation_class=example_of(request=examples.MOVED, answer=examples.ADA),
    responses=refusals({404: UNKNOWN_USER, 409: TAKEN, 410: ERASED_USER, 422: INVALID}),
)
async def change_user(
    user_id: FromPath[str], data: JSONBody[UserPatch], store: Store, request: AuthenticatedRequest
) -> User:
    """A JSON Merge Patch (RFC 7396): what is left out stays, null clears, `attributes` are merged."""
    return await store.change_user(user_id_of(user_id), checked_user(data), actor=request.user.owner)


@delete(
    "/users/{user_id:str}",
    guards=WRITE,
    tags=TAGS,
    summary="Erase a person",
    responses=refusals({404: UNKNOWN_USER}),
)
async def erase_user(user_id: FromPath[str], store: Store, request: AuthenticatedRequest) -> None:
    """Erase everything personal at once; the id stays, so that past notifications can still be read.

    The `external_id` is free again. The suppression list is not touched.
    """
    await store.erase_user(user_id_of(user_id), actor=request.user.owner)


@get(
    "/users/{user_id:str}/export",
    guards=READ,
    tags=TAGS,
    summary="Export all that is known of a person",
    operation_class=example_of(answer=examples.EVERYTHING),
    responses=refusals({404: UNKNOWN_USER}),
)
async def export_user(user_id: FromPath[str], store: Store) -> UserExport:
    """The person, the devices removed and why, and what the suppression list has on them."""
    return await store.export_user(user_id_of(user_id))


ROUTES: list[ControllerRouterHandler] = [
    add_user,
    put_user,
    list_users,
    read_user,
    change_user,
    erase_user,
    export_user,
]


def _moment(name: str, given: datetime | None) -> datetime | None:
    if given is None:
        return None
    words = "A time needs a UTC offset; an example is 2026-11-20T09:30:00Z"
    try:
        if given.tzinfo:
            return given.astimezone(UTC)
    except OverflowError:
        words = "In UTC this is outside the years 1 to 9999"
    raise unfit([FieldFault(field=f"$.{name}", message=words)])


def _text(name: str, given: str | None) -> str | None:
    if given and "\0" in given:
        raise unfit([FieldFault(field=f"$.{name}", message=NO_NUL)])
    return given


def _locale(given: str | None) -> str | None:
    try:
        return given and normal_locale(given)
    except ValueError as error:
        raise unfit([FieldFault(field="$.locale", message=str(error))]) from error
