"""Drafts: written over and over, read, published."""

from http import HTTPStatus
from typing import Annotated

from litestar import Response, delete, get, post, put
from litestar.openapi import ResponseSpec
from litestar.types import ControllerRouterHandler

from tidings.contracts.templates import Template, TemplateContent
from tidings.kit.auth import AuthenticatedRequest
from tidings.kit.problems import refusals
from tidings.templates.absence import template_id_in
from tidings.templates.api import examples
from tidings.templates.api.parameters import (
    ARCHIVED,
    CHANGED,
    INVALID,
    READ,
    REFUSED,
    TOO_LARGE,
    UNKNOWN,
    UNKNOWN_DRAFT,
    WRITE,
    Publishing,
    TemplateId,
    Versions,
)
from tidings.templates.conditional import IfMatch, IfNoneMatch, fresh, tagged


@put(
    "/templates/{template_id:str}/draft",
    guards=WRITE,
    tags=["drafts"],
    summary="Write the draft",
    responses=examples.answers(
        Template,
        examples.DRAFT,
        {404: UNKNOWN, 409: ARCHIVED, 412: CHANGED, 413: TOO_LARGE, 422: REFUSED},
        words="The draft, written over the one before",
    )
    | {201: ResponseSpec(Template, description="The draft, where there was none")},
)
async def save_draft(
    template_id: TemplateId,
    data: Annotated[TemplateContent, examples.body(examples.CONTENT)],
    publishing: Publishing,
    request: AuthenticatedRequest,
    if_match: IfMatch = None,
) -> Response[Template]:
    """Store what may become the next version. It is checked as a version is, and sent to nobody.

    Where there is no draft yet, `If-Match` names the version that the draft starts from.
    """
    draft, is_new = await publishing.save_draft(
        template_id_in(template_id), data, if_match, actor=request.user.owner
    )
    return tagged(draft, status=HTTPStatus.CREATED if is_new else HTTPStatus.OK)


@get(
    "/templates/{template_id:str}/draft",
    guards=READ,
    tags=["drafts"],
    summary="Read the draft",
    responses=examples.answers(
        Template, examples.DRAFT, {404: UNKNOWN_DRAFT}, words="The draft", conditional=True
    ),
)
async def read_draft(
    template_id: TemplateId, catalogue: Versions, if_none_match: IfNoneMatch = None
) -> Response[Template]:
    """The draft, with the version that it would become."""
    return fresh(await catalogue.template(template_id_in(template_id), draft=True), if_none_match)


@delete(
    "/templates/{template_id:str}/draft",
    guards=WRITE,
    tags=["drafts"],
    summary="Discard the draft",
    responses=refusals({404: UNKNOWN_DRAFT, 409: ARCHIVED, 412: CHANGED, 422: INVALID}),
)
async def discard_draft(
    template_id: TemplateId, publishing: Publishing, request: AuthenticatedRequest, if_match: IfMatch = None
) -> None:
    """Delete the draft. A template of which nothing was ever published goes with it."""
    await publishing.drop_draft(template_id_in(template_id), if_match, actor=request.user.owner)


@post(
    "/templates/{template_id:str}/publish",
    status_code=HTTPStatus.OK,
    guards=WRITE,
    tags=["drafts"],
    summary="Publish the draft",
    responses=examples.answers(
        Template,
        examples.TEMPLATE,
        {404: UNKNOWN_DRAFT, 409: ARCHIVED, 412: CHANGED, 422: REFUSED},
        words="The version that is the newest now",
    ),
)
async def publish_draft(
    template_id: TemplateId, publishing: Publishing, request: AuthenticatedRequest, if_match: IfMatch = None
) -> Response[Template]:
    """Make the draft the next version, with the partials as they are now. `If-Match` names the draft."""
    actor = request.user.owner
    return tagged(await publishing.publish_draft(template_id_in(template_id), if_match, actor=actor))


ROUTES: list[ControllerRouterHandler] = [save_draft, read_draft, discard_draft, publish_draft]
