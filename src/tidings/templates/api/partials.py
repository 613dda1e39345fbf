"""Partials: the layouts and pieces that templates share."""

from http import HTTPStatus
from typing import Annotated

from litestar import Response, delete, get, put
from litestar.openapi import ResponseSpec
from litestar.types import ControllerRouterHandler

from tidings.contracts.templates import NewPartial, Partial
from tidings.contracts.templates import Partials as PartialPage
from tidings.kit.auth import AuthenticatedRequest
from tidings.kit.errors import Conflict, FieldFault, Unprocessable
from tidings.kit.problems import refusals
from tidings.templates.absence import is_slug, unknown_partial
from tidings.templates.api import examples
from tidings.templates.api.parameters import (
    CHANGED,
    INVALID,
    READ,
    TOO_LARGE,
    UNKNOWN_PARTIAL,
    WRITE,
    Limit,
    NameCursor,
    PartialName,
    Partials,
)
from tidings.templates.checking import check_partial
from tidings.templates.conditional import IfMatch, IfNoneMatch, fresh, require_match, tagged
from tidings.templates.partial_store import HeldPartial

IN_USE = "`partial_in_use`: `detail` names the templates whose newest version or draft uses it"


@get(
    "/partials",
    guards=READ,
    tags=["partials"],
    summary="List partials",
    responses=examples.answers(
        PartialPage,
        {"partials": [examples.PARTIAL], "next_cursor": None},
        {422: INVALID},
        words="A page of partials, by name",
    ),
)
async def list_partials(partials: Partials, cursor: NameCursor = None, limit: Limit = 50) -> PartialPage:
    """Partials by name, as they are now."""
    found = await partials.page(after=cursor, limit=limit + 1)
    page = found[:limit]
    return PartialPage(partials=page, next_cursor=page[-1].name if len(found) > limit else None)


@get(
    "/partials/{name:str}",
    guards=READ,
    tags=["partials"],
    summary="Read a partial",
    responses=examples.answers(
        Partial, examples.PARTIAL, {404: UNKNOWN_PARTIAL}, words="The partial as it is now", conditional=True
    ),
)
async def read_partial(
    name: PartialName, partials: Partials, if_none_match: IfNoneMatch = None
) -> Response[Partial]:
    """A partial as it is now. Published versions keep the source they were published with."""
    found = await partials.find(name) if is_slug(name) else None
    if found is None:
        raise unknown_partial(name)
    return fresh(found, if_none_match)


@put(
    "/partials/{name:str}",
    guards=WRITE,
    tags=["partials"],
    summary="Write a partial",
    responses=examples.answers(
        Partial,
        examples.PARTIAL,
        {
            412: CHANGED,
            413: TOO_LARGE,
            422: "`invalid_request` or `template_does_not_compile`: `errors` says where and why",
        },
        words="The partial, written over the one before",
    )
    | {201: ResponseSpec(Partial, description="The partial, where there was none")},
)
async def save_partial(
    name: PartialName,
    data: Annotated[NewPartial, examples.body(examples.PARTIAL_SOURCE)],
    partials: Partials,
    request: AuthenticatedRequest,
    if_match: IfMatch = None,
) -> Response[Partial]:
    """Store a layout or a piece. Templates use it from their next publication on."""
    if not is_slug(name):
        raise _misnamed(name)
    check_partial(data.source)
    async with partials.hold(name, actor=request.user.owner) as held:
        require_match(if_match, held.stored)
        saved = await held.save(data.source)
    return tagged(saved, status=HTTPStatus.OK if held.stored else HTTPStatus.CREATED)


@delete(
    "/partials/{name:str}",
    guards=WRITE,
    tags=["partials"],
    summary="Delete a partial",
    responses=refusals({404: UNKNOWN_PARTIAL, 409: IN_USE, 412: CHANGED, 422: INVALID}),
)
async def delete_partial(
    name: PartialName, partials: Partials, request: AuthenticatedRequest, if_match: IfMatch = None
) -> None:
    """Delete a partial that no newest version and no draft uses; archived templates do not count."""
    if not is_slug(name):
        raise unknown_partial(name)
    async with partials.hold(name, actor=request.user.owner) as held:
        if held.stored is None:
            raise unknown_partial(name)
        require_match(if_match, held.stored)
        await _refuse_if_used(held)
        await held.delete()


ROUTES: list[ControllerRouterHandler] = [list_partials, read_partial, save_partial, delete_partial]


async def _refuse_if_used(held: HeldPartial) -> None:
    users = await held.users()
    if users:
        raise Conflict(
            f"The partial {held.name} is used by {', '.join(users)}. Publish them without it, and discard "
            "or change drafts that use it",
            code="partial_in_use",
        )


def _misnamed(name: str) -> Unprocessable:
    fault = FieldFault(
        field="$.name",
        message=f"{name!r} is no name: up to 100 of a-z, 0-9, `_`, `.` and `-`, first a letter or digit",
    )
    return Unprocessable(f"The request does not fit: {fault.message}", code="invalid_request", errors=[fault])
