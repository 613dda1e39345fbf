"""Templates with their variables filled in: to look at, and sent to one address to try them."""

from http import HTTPStatus
from typing import Annotated

from litestar import post
from litestar.di import NamedDependency
from litestar.types import ControllerRouterHandler

from tidings.contracts.templates import Rendered, RenderRequest, TestRequest, TestResult
from tidings.templates.absence import template_id_in
from tidings.templates.api import examples
from tidings.templates.api.parameters import READ, UNKNOWN_SOURCE, WRITE, TemplateId
from tidings.templates.previewing import Previews
from tidings.templates.trial import Trials

Previewing = NamedDependency[Previews]

UNRENDERABLE = (
    "`invalid_request`, `invalid_variables`, `missing_variable`, `render_failed`, or for a draft "
    "`template_does_not_compile`: `errors` names each variable or field at fault"
)


@post(
    "/templates/{template_id:str}/render",
    status_code=HTTPStatus.OK,
    guards=READ,
    tags=["rendering"],
    summary="Render a template without sending it",
    responses=examples.answers(
        Rendered,
        examples.RENDERED,
        {404: UNKNOWN_SOURCE, 422: UNRENDERABLE},
        words="What each channel would send, with sizes, the locales used, and warnings",
    ),
)
async def render_template(
    template_id: TemplateId,
    data: Annotated[RenderRequest, examples.body(examples.RENDER)],
    previews: Previewing,
) -> Rendered:
    """Fill in given variables, or without any the sample. `unsubscribe_url` and its like lead nowhere."""
    return await previews.render(template_id_in(template_id), data)


@post(
    "/templates/{template_id:str}/test",
    status_code=HTTPStatus.OK,
    guards=WRITE,
    tags=["rendering"],
    summary="Send a test email",
    responses=examples.answers(
        TestResult,
        examples.TEST_RESULT,
        {
            404: UNKNOWN_SOURCE,
            422: f"`template_lacks_channel`, {UNRENDERABLE}",
            503: "`email_unavailable`",
        },
        words="What the provider said",
    ),
)
async def send_trial(
    template_id: TemplateId,
    data: Annotated[TestRequest, examples.body(examples.TEST)],
    previews: Previewing,
    trials: NamedDependency[Trials],
) -> TestResult:
    """Send a rendering to one address, at once, whatever its owner's preferences are."""
    email = await previews.email(template_id_in(template_id), data)
    return await trials.send(data.to, email)


ROUTES: list[ControllerRouterHandler] = [render_template]
