"""The HTTP side of the template service."""

from typing import Annotated

import msgspec
from litestar import Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.http import (
    NewTemplate,
    Rendered,
    RenderRequest,
    Slug,
    Template,
    TemplateContent,
    TemplateVersions,
)
from tidings.kit.auth import requires
from tidings.kit.errors import Conflict, NotFound
from tidings.kit.problems import refusals
from tidings.rendering import Renderer
from tidings.templates.catalogue import Catalogue
from tidings.templates.checking import check
from tidings.templates.preview import preview
from tidings.templates.store import MAX_VERSION, TemplateStore

READ = [requires("templates:read")]
WRITE = [requires("templates:write")]

UNKNOWN = "`unknown_template`"
UNKNOWN_VERSION = "`unknown_template` or `unknown_version`"
INVALID = "`invalid_request`: `errors` names each field at fault"
REFUSED = (
    "`invalid_request`, `invalid_template` or `template_does_not_compile`: `errors` names each field"
    " at fault and says why"
)
UNRENDERABLE = "`missing_variable` or `render_failed`: `errors` names each variable or field at fault"

TemplateId = FromPath[str]
Version = Annotated[
    int | None, QueryParameter(ge=1, description="a version's number; without it, the newest")
]
Cursor = Annotated[
    int | None,
    QueryParameter(ge=1, le=MAX_VERSION, description="the `next_cursor` of the page before"),
]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="how many versions to answer")]
Store = NamedDependency[TemplateStore]
Versions = NamedDependency[Catalogue]


@post(
    "/templates",
    guards=WRITE,
    tags=["templates"],
    summary="Add a template",
    responses=refusals({409: "`template_exists`", 422: REFUSED}),
)
async def add_template(data: JSONBody[NewTemplate], store: Store) -> Response[Template]:
    """Store a template as its version 1. Its source must compile."""
    created = await store.create(data.id, data, check(data))
    if created is None:
        raise Conflict(
            f"There is a template {data.id} already; PUT /templates/{data.id} adds a version to it",
            code="template_exists",
        )
    # Relative (RFC 9110, section 10.2.2), so that it is also right behind the gateway's /v1.
    return Response(created, headers={"Location": f"templates/{created.id}"})


@get(
    "/templates/{template_id:str}",
    guards=READ,
    tags=["templates"],
    summary="Read a template",
    responses=refusals({404: UNKNOWN_VERSION, 422: INVALID}),
)
async def read_template(
    template_id: TemplateId, store: Store, catalogue: Versions, version: Version = None
) -> Template:
    """One version of a template, the newest unless a number is given."""
    return await _find(template_id, version, store, catalogue)


@put(
    "/templates/{template_id:str}",
    guards=WRITE,
    tags=["templates"],
    summary="Add a version to a template",
    responses=refusals({404: UNKNOWN, 422: REFUSED}),
)
async def replace_template(
    template_id: TemplateId, data: JSONBody[TemplateContent], store: Store
) -> Template:
    """Store the next version and answer it. Content equal to the newest version's adds none."""
    replaced = await store.replace(_slug(template_id), data, check(data))
    if replaced is None:
        raise _unknown(template_id)
    return replaced


@get(
    "/templates/{template_id:str}/versions",
    guards=READ,
    tags=["templates"],
    summary="List a template's versions",
    responses=refusals({404: UNKNOWN, 422: INVALID}),
)
async def list_versions(
    template_id: TemplateId, store: Store, cursor: Cursor = None, limit: Limit = 50
) -> TemplateVersions:
    """A template's history, newest first."""
    versions = await store.history(_slug(template_id), before=cursor, limit=limit)
    if not versions and not await store.exists(template_id):
        raise _unknown(template_id)
    more = len(versions) == limit and versions[-1].version > 1
    return TemplateVersions(versions=versions, next_cursor=str(versions[-1].version) if more else None)


@post(
    "/templates/{template_id:str}/render",
    status_code=200,
    guards=READ,
    tags=["templates"],
    summary="Render a template without sending it",
    responses=refusals({404: UNKNOWN_VERSION, 422: UNRENDERABLE}),
)
async def render_template(
    template_id: TemplateId,
    data: JSONBody[RenderRequest],
    store: Store,
    catalogue: Versions,
    renderer: NamedDependency[Renderer],
) -> Rendered:
    """Fill in the variables and answer what each channel would send."""
    template = await _find(template_id, data.version, store, catalogue)
    return preview(renderer, template, data)


ROUTES: list[ControllerRouterHandler] = [
    add_template,
    read_template,
    replace_template,
    list_versions,
    render_template,
]


async def _find(
    template_id: str, version: int | None, store: TemplateStore, catalogue: Catalogue
) -> Template:
    found = await catalogue.find(_slug(template_id), version)
    if found is not None:
        return found
    if version is not None and await store.exists(template_id):
        raise NotFound(f"The template {template_id} has no version {version}", code="unknown_version")
    raise _unknown(template_id)


def _slug(template_id: str) -> str:
    try:
        return msgspec.convert(template_id, Slug)
    except msgspec.ValidationError as error:
        raise _unknown(template_id) from error


def _unknown(template_id: str) -> NotFound:
    return NotFound(f"There is no template {template_id}", code="unknown_template")
