"""Versions: listed, compared, gone back to, and as those who send them read them."""

from http import HTTPStatus
from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.templates import (
    CompiledTemplate,
    Rollback,
    Template,
    TemplateDifference,
    TemplateVersions,
)
from tidings.kit.auth import AuthenticatedRequest
from tidings.templates.absence import template_id_in, unknown_template
from tidings.templates.api import examples
from tidings.templates.api.parameters import (
    ARCHIVED,
    CHANGED,
    INVALID,
    READ,
    REFUSED,
    UNKNOWN,
    UNKNOWN_VERSION,
    WRITE,
    Limit,
    Publishing,
    Store,
    TemplateId,
    Version,
    VersionCursor,
    Versions,
)
from tidings.templates.catalogue import Catalogue
from tidings.templates.comparing import Comparison
from tidings.templates.conditional import IfMatch, IfNoneMatch, is_known, not_modified, tagged

From = Annotated[
    int | None,
    QueryParameter(name="from", ge=1, description="the version to start from; without it, the newest"),
]
To = Annotated[
    int,
    QueryParameter(ge=0, description="the version to arrive at; 0 is the draft, or the newest without one"),
]

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@get(
    "/templates/{template_id:str}/versions",
    guards=READ,
    tags=["versions"],
    summary="List a template's versions",
    responses=examples.answers(
        TemplateVersions,
        examples.HISTORY,
        {404: UNKNOWN, 422: INVALID},
        words="A page of versions, newest first",
    ),
)
async def list_versions(
    template_id: TemplateId, store: Store, cursor: VersionCursor = None, limit: Limit = 50
) -> TemplateVersions:
    """A template's history, newest first."""
    versions = await store.history(template_id_in(template_id), before=cursor, limit=limit)
    if not versions and await store.pointer(template_id) is None:
        raise unknown_template(template_id)
    more = len(versions) == limit and versions[-1].version > 1
    return TemplateVersions(versions=versions, next_cursor=str(versions[-1].version) if more else None)


@get(
    "/templates/{template_id:str}/diff",
    guards=READ,
    tags=["versions"],
    summary="Compare two versions",
    responses=examples.answers(
        TemplateDifference,
        examples.DIFFERENCE,
        {404: UNKNOWN_VERSION, 422: INVALID},
        words="Each field that differs",
    ),
)
async def compare_versions(
    template_id: TemplateId, comparison: NamedDependency[Comparison], from_: From = None, to: To = 0
) -> TemplateDifference:
    """What changes between two versions, or from a version to the draft, partials included."""
    return await comparison.between(template_id_in(template_id), from_, to)


@post(
    "/templates/{template_id:str}/rollback",
    status_code=HTTPStatus.OK,
    guards=WRITE,
    tags=["versions"],
    summary="Go back to a version",
    responses=examples.answers(
        Template,
        examples.TEMPLATE,
        {404: UNKNOWN_VERSION, 409: ARCHIVED, 412: CHANGED, 422: REFUSED},
        words="The version that is the newest now",
    ),
)
async def roll_back(
    template_id: TemplateId,
    data: Annotated[Rollback, examples.body({"version": 2})],
    publishing: Publishing,
    request: AuthenticatedRequest,
    if_match: IfMatch = None,
) -> Response[Template]:
    """Publish the words of an older version again, as a new version, with the partials as they are now."""
    rolled_back = await publishing.roll_back(
        template_id_in(template_id), data.version, if_match, actor=request.user.owner
    )
    return tagged(rolled_back)


@get(
    "/templates/{template_id:str}/compiled",
    guards=READ,
    tags=["versions"],
    summary="Read a version ready to be filled in",
    responses=examples.answers(
        CompiledTemplate,
        examples.COMPILED,
        {404: UNKNOWN_VERSION, 422: INVALID},
        words="MJML translated, CSS inlined, text form made. Asked for by number, it may be kept for good",
        conditional=True,
    ),
)
async def read_compiled(
    template_id: TemplateId,
    catalogue: Versions,
    version: Version = None,
    if_none_match: IfNoneMatch = None,
) -> Response[CompiledTemplate]:
    """What is filled in when a notification is sent.

    `archived` is told of the newest version only: those with a number never change.
    """
    template_id_in(template_id)
    if version is None:
        return await _newest(catalogue, template_id, if_none_match)
    found, tag = await catalogue.compiled(template_id, version), _tag(version, archived=False)
    if is_known(if_none_match, tag):
        return not_modified(tag)
    return Response(found, headers={"ETag": tag, **FOREVER})


ROUTES: list[ControllerRouterHandler] = [list_versions, compare_versions, roll_back, read_compiled]


async def _newest(
    catalogue: Catalogue, template_id: str, if_none_match: str | None
) -> Response[CompiledTemplate]:
    pointer = await catalogue.pointer(template_id)
    tag = _tag(pointer.newest, archived=pointer.archived)
    if is_known(if_none_match, tag):
        return not_modified(tag)
    newest = await catalogue.compiled(template_id, pointer.newest)
    return Response(msgspec.structs.replace(newest, archived=pointer.archived), headers={"ETag": tag})


def _tag(version: int, *, archived: bool) -> str:
    # Versions never change, so nothing but these two can make a difference.
    return f'"{version}-{"archived" if archived else "published"}"'
