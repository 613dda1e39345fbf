"""The HTTP side of categories."""

from typing import Annotated

import msgspec
from litestar import Response, delete, get, put
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.base import Slug
from tidings.contracts.users import Categories, Category, NewCategory
from tidings.kit.auth import AuthenticatedRequest, requires
from tidings.kit.errors import FieldFault, Malformed, NotFound
from tidings.kit.examples import example_of
from tidings.kit.problems import refusals
from tidings.users.categories.store import CategoryStore
from tidings.users.validation import refuse, unstorable

READ = [requires("users:read")]
WRITE = [requires("users:write")]
TAGS = ["categories"]
UNKNOWN = "`unknown_category`"

NEWS = NewCategory(name="News and offers", description="Once a month")
EXAMPLE = Category(id="marketing", name=NEWS.name, description=NEWS.description)

Store = NamedDependency[CategoryStore]
Cursor = Annotated[str | None, QueryParameter(description="the `next_cursor` of the page before")]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="how many categories to answer")]


@get(
    "/categories",
    guards=READ,
    tags=TAGS,
    summary="List the categories",
    operation_class=example_of(answer=Categories(categories=[EXAMPLE])),
    responses=refusals({400: "`bad_cursor`", 422: "`invalid_request`"}),
)
async def list_categories(category_store: Store, cursor: Cursor = None, limit: Limit = 50) -> Categories:
    """Categories by id, with their defaults."""
    if cursor is not None and not _is_slug(cursor):
        raise Malformed("This cursor is not one we gave; start without it", code="bad_cursor")
    found = await category_store.page(after=cursor, limit=limit + 1)
    more = len(found) > limit
    return Categories(categories=found[:limit], next_cursor=found[limit - 1].id if more else None)


@put(
    "/categories/{category_id:str}",
    guards=WRITE,
    tags=TAGS,
    summary="Add or replace a category",
    operation_class=example_of(request=NEWS, answer=EXAMPLE),
    responses={
        201: ResponseSpec(Category, description="The category is new"),
        **refusals(
            {
                409: "`built_in_category` or `too_many_categories`",
                422: "`invalid_request`: `errors` names each field at fault",
            }
        ),
    },
)
async def put_category(
    category_id: FromPath[str],
    data: JSONBody[NewCategory],
    category_store: Store,
    request: AuthenticatedRequest,
) -> Response[Category]:
    """Describe a kind of notification. One that is `required` cannot be off by default."""
    refuse([*_id_faults(category_id), *unstorable(data), *_required_but_off(data)])
    category, is_new = await category_store.put(category_id, data, actor=request.user.owner)
    return Response(category, status_code=201 if is_new else 200)


@get(
    "/categories/{category_id:str}",
    guards=READ,
    tags=TAGS,
    summary="Read a category",
    operation_class=example_of(answer=EXAMPLE),
    responses=refusals({404: UNKNOWN}),
)
async def read_category(category_id: FromPath[str], category_store: Store) -> Category:
    """One category."""
    found = await category_store.find(category_id) if _is_slug(category_id) else None
    if found is None:
        raise _unknown(category_id)
    return found


@delete(
    "/categories/{category_id:str}",
    guards=WRITE,
    tags=TAGS,
    summary="Delete a category",
    responses=refusals({404: "`unknown_category`: not the form of an id", 409: "`built_in_category`"}),
)
async def remove_category(
    category_id: FromPath[str], category_store: Store, request: AuthenticatedRequest
) -> None:
    """Delete a category; one that is gone already is no error.

    What people chose for it is kept, and counts again if it is added again.
    """
    if not _is_slug(category_id):
        raise _unknown(category_id)
    await category_store.remove(category_id, actor=request.user.owner)


ROUTES: list[ControllerRouterHandler] = [list_categories, put_category, read_category, remove_category]


def _is_slug(text: str) -> bool:
    try:
        msgspec.convert(text, Slug)
    except msgspec.ValidationError:
        return False
    return True


def _id_faults(category_id: str) -> list[FieldFault]:
    if _is_slug(category_id):
        return []
    words = "An id has up to 100 of a-z, 0-9, _, . and -, and starts with a letter or digit"
    return [FieldFault(field="$.category_id", message=words)]


def _required_but_off(new: NewCategory) -> list[FieldFault]:
    words = "A required category cannot be off"
    off = [name for name in ("email", "push") if not getattr(new, name)] if new.required else []
    return [FieldFault(field=f"$.{name}", message=words) for name in off]


def _unknown(category_id: str) -> NotFound:
    return NotFound(f"There is no category {category_id}", code="unknown_category")
