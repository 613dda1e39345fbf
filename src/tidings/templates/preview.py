"""Rendering one version in every channel it has, to look at."""

from tidings.contracts.codes import Channel
from tidings.contracts.http import Rendered, RenderRequest, Template
from tidings.kit.errors import Unprocessable
from tidings.rendering import Fault, Renderer, RenderError, pick_locale
from tidings.templates.checking import field_faults


def preview(renderer: Renderer, template: Template, request: RenderRequest) -> Rendered:
    """The email and the push, as the channels would send them.

    `locale` is the email's, or the push's where there is no email.

    Raises:
        Unprocessable: `missing_variable` when values are all that is wrong, else `render_failed`.
    """
    faults: list[Fault] = []
    email = push = None
    try:
        email = renderer.email(template, request.variables, [request.locale])
    except RenderError as error:
        faults += error.faults
    try:
        push = renderer.push(template, request.variables, [request.locale])
    except RenderError as error:
        faults += error.faults
    if faults:
        raise _refusal(template, faults)
    return Rendered(
        template_id=template.id,
        version=template.version,
        locale=_locale(template, request.locale),
        email=email,
        push=push,
    )


def _locale(template: Template, wanted: str | None) -> str:
    picked = (
        pick_locale(template.content, channel, [wanted, template.default_locale]) for channel in Channel
    )
    return next((locale for locale in picked if locale), template.default_locale)


def _refusal(template: Template, faults: list[Fault]) -> Unprocessable:
    words = "; ".join(fault.message for fault in faults)
    return Unprocessable(
        f"Version {template.version} of {template.id} cannot be rendered: {words}",
        code="missing_variable" if all(fault.variable for fault in faults) else "render_failed",
        errors=field_faults(faults),
    )
