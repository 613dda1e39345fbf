"""Templates: added, listed, read, replaced, copied, put away."""

from http import HTTPStatus
from typing import Annotated

from litestar import Response, delete, get, post, put
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.codes import Channel
from tidings.contracts.templates import Duplicate, NewTemplate, Template, TemplateContent, Templates
from tidings.kit.auth import AuthenticatedRequest
from tidings.kit.problems import refusals
from tidings.templates.absence import template_id_in
from tidings.templates.api import examples
from tidings.templates.api.parameters import (
    ARCHIVED,
    CHANGED,
    EXISTS,
    INVALID,
    READ,
    REFUSED,
    TOO_LARGE,
    UNKNOWN,
    UNKNOWN_SOURCE,
    WRITE,
    Category,
    Draft,
    Limit,
    NameCursor,
    Publishing,
    Search,
    Store,
    TemplateId,
    Version,
    Versions,
)
from tidings.templates.conditional import IfMatch, IfNoneMatch, fresh, tagged

AsDraft = Annotated[bool, QueryParameter(description="store it as a draft and publish nothing")]
Archived = Annotated[bool, QueryParameter(description="the templates in the archive instead of the others")]
OnChannel = Annotated[Channel | None, QueryParameter(description="only with content for this channel")]


@post(
    "/templates",
    guards=WRITE,
    tags=["templates"],
    summary="Add a template",
    responses=examples.answers(
        Template,
        examples.TEMPLATE | {"version": 1},
        {409: EXISTS, 413: TOO_LARGE, 422: REFUSED},
        status=HTTPStatus.CREATED,
        words="The template as it is stored",
    ),
)
async def add_template(
    data: Annotated[NewTemplate, examples.body(examples.NEW)],
    publishing: Publishing,
    request: AuthenticatedRequest,
    *,
    draft: AsDraft = False,
) -> Response[Template]:
    """Publish a template as its version 1, or store it as a draft. Its source must compile."""
    added = await publishing.add(data, draft=draft, actor=request.user.owner)
    return _created(added)


@get(
    "/templates",
    guards=READ,
    tags=["templates"],
    summary="List templates",
    responses=examples.answers(Templates, examples.PAGE, {422: INVALID}, words="A page of templates, by id"),
)
async def list_templates(
    store: Store,
    *,
    search: Search = None,
    category: Category = None,
    channel: OnChannel = None,
    archived: Archived = False,
    cursor: NameCursor = None,
    limit: Limit = 50,
) -> Templates:
    """Templates by id, with what their newest version says, or their draft where none is published."""
    found = await store.page(
        archived=archived, after=cursor, category=category, channel=channel, search=search, limit=limit + 1
    )
    page = found[:limit]
    return Templates(templates=page, next_cursor=page[-1].id if len(found) > limit else None)


@get(
    "/templates/{template_id:str}",
    guards=READ,
    tags=["templates"],
    summary="Read a template",
    responses=examples.answers(
        Template,
        examples.TEMPLATE,
        {404: UNKNOWN_SOURCE, 422: INVALID},
        words="The template as it was written",
        conditional=True,
    ),
)
async def read_template(
    template_id: TemplateId,
    catalogue: Versions,
    *,
    version: Version = None,
    draft: Draft = False,
    if_none_match: IfNoneMatch = None,
) -> Response[Template]:
    """The newest version of a template as it was written, or another one, or the draft."""
    found = await catalogue.template(template_id_in(template_id), version=version, draft=draft)
    return fresh(found, if_none_match)


@put(
    "/templates/{template_id:str}",
    guards=WRITE,
    tags=["templates"],
    summary="Publish a version",
    responses=examples.answers(
        Template,
        examples.TEMPLATE,
        {404: UNKNOWN, 409: ARCHIVED, 412: CHANGED, 413: TOO_LARGE, 422: REFUSED},
        words="The version that is the newest now",
    ),
)
async def replace_template(
    template_id: TemplateId,
    data: Annotated[TemplateContent, examples.body(examples.CONTENT)],
    publishing: Publishing,
    request: AuthenticatedRequest,
    if_match: IfMatch = None,
) -> Response[Template]:
    """Publish the next version. What the newest version says already, with the same partials, adds none."""
    actor = request.user.owner
    return tagged(await publishing.replace(template_id_in(template_id), data, if_match, actor=actor))


@delete(
    "/templates/{template_id:str}",
    guards=WRITE,
    tags=["templates"],
    summary="Archive a template",
    responses=refusals({404: UNKNOWN, 412: CHANGED, 422: INVALID}),
)
async def archive_template(
    template_id: TemplateId, publishing: Publishing, request: AuthenticatedRequest, if_match: IfMatch = None
) -> None:
    """Take a template out of the lists and of use. What was accepted with it is still sent.

    Nothing is lost: its versions can be read, and it can be restored.
    """
    await publishing.archive(template_id_in(template_id), if_match, actor=request.user.owner)


@post(
    "/templates/{template_id:str}/restore",
    status_code=HTTPStatus.OK,
    guards=WRITE,
    tags=["templates"],
    summary="Restore an archived template",
    responses=examples.answers(
        Template, examples.TEMPLATE, {404: UNKNOWN}, words="The newest version, or the draft without one"
    ),
)
async def restore_template(
    template_id: TemplateId, publishing: Publishing, request: AuthenticatedRequest
) -> Response[Template]:
    """Take a template out of the archive. One that is not in there stays as it is."""
    return tagged(await publishing.restore(template_id_in(template_id), actor=request.user.owner))


@post(
    "/templates/{template_id:str}/duplicate",
    guards=WRITE,
    tags=["templates"],
    summary="Copy a template",
    responses=examples.answers(
        Template,
        examples.TEMPLATE | {"id": "welcome-partner", "version": 1},
        {404: UNKNOWN, 409: EXISTS, 422: REFUSED},
        status=HTTPStatus.CREATED,
        words="The copy",
    ),
)
async def duplicate_template(
    template_id: TemplateId,
    data: Annotated[Duplicate, examples.body({"id": "welcome-partner"})],
    publishing: Publishing,
    request: AuthenticatedRequest,
) -> Response[Template]:
    """Add a template with the words of another's newest version; or of its draft, as a draft."""
    source = template_id_in(template_id)
    return _created(await publishing.duplicate(source, data.id, actor=request.user.owner))


ROUTES: list[ControllerRouterHandler] = [
    add_template,
    list_templates,
    read_template,
    replace_template,
    archive_template,
    restore_template,
    duplicate_template,
]


def _created(added: Template) -> Response[Template]:
    # Relative (RFC 9110, section 10.2.2), so that it is also right behind the gateway's /v1.
    location = f"templates/{added.id}{'?draft=true' if added.state == 'draft' else ''}"
    return tagged(added, status=HTTPStatus.CREATED, location=location)
