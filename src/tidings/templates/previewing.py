"""Rendering a version or the draft in every channel it has, to look at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from tidings.contracts.codes import Channel
from tidings.contracts.templates import (
    CompiledTemplate,
    Rendered,
    RenderedEmail,
    RenderedPush,
    RenderRequest,
    TestRequest,
)
from tidings.kit.errors import Unprocessable
from tidings.rendering import Fault, Renderer, RenderError, check_variables, pick_locale
from tidings.templates.catalogue import Catalogue
from tidings.templates.checking import compile_checked, field_faults
from tidings.templates.compiling import render_warnings
from tidings.templates.partial_store import PartialStore
from tidings.templates.publishing import content_of

PLACEHOLDERS = {
    "unsubscribe_url": "https://example.com/unsubscribe",
    "preferences_url": "https://example.com/preferences",
}
"""What stands where a notification has links of its recipient's own."""

NO_LINK_EXPECTED = frozenset({"general", "transactional", "security"})
"""The built-in categories whose emails answer what their reader did: they need no link to stop them."""

T = TypeVar("T", RenderedEmail, RenderedPush)


class Previews:
    """Renders what is stored, for people who write templates."""

    def __init__(self, catalogue: Catalogue, partials: PartialStore, renderer: Renderer) -> None:
        self._catalogue = catalogue
        self._partials = partials
        self._renderer = renderer

    async def render(self, template_id: str, request: RenderRequest) -> Rendered:
        """Every channel, as it would be sent, with what is probably not meant.

        Raises:
            NotFound: `unknown_template`, `unknown_version` or `unknown_draft`.
            Unprocessable: as `preview`; for a draft also `template_does_not_compile`.
        """
        subject = await self._subject(template_id, request)
        return preview(subject.renderer, subject.template, subject.variables, request.locale)

    async def email(self, template_id: str, request: TestRequest) -> RenderedEmail:
        """The email alone.

        Raises:
            NotFound: as `render`.
            Unprocessable: as `render`; also `template_lacks_channel`.
        """
        subject = await self._subject(template_id, request)
        _check(subject.template, subject.variables)
        try:
            email = subject.renderer.email(
                subject.template, subject.variables, [request.locale], PLACEHOLDERS
            )
        except RenderError as error:
            raise _refusal(subject.template, error.faults) from error
        if email is None:
            raise Unprocessable(
                f"Version {subject.template.version} of {template_id} has no email; give it one",
                code="template_lacks_channel",
            )
        return email

    async def _subject(self, template_id: str, request: RenderRequest | TestRequest) -> "_Subject":
        source = await self._catalogue.source(template_id, version=request.version, draft=request.draft)
        variables = source.template.sample if request.variables is None else request.variables
        if not request.draft:
            template = await self._catalogue.compiled(template_id, source.template.version)
            return _Subject(self._renderer, template, variables)
        content = content_of(source.template)
        compiled = await compile_checked(content, await self._partials.sources())
        template = compiled.template(template_id, source.template.version, content)
        # What a renderer keeps, it keeps by version; the draft shares its number with what it becomes.
        return _Subject(Renderer(), template, variables)


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is rendered, with which values."""

    renderer: Renderer
    template: CompiledTemplate
    variables: dict[str, Any]


def preview(
    renderer: Renderer, template: CompiledTemplate, variables: Mapping[str, Any], locale: str | None
) -> Rendered:
    """Every channel as it would be sent in `locale`, with sizes in bytes and warnings.

    Raises:
        Unprocessable: `invalid_variables` where values do not fit the schema, `missing_variable` when
            absent values are all that is wrong, else `render_failed`.
    """
    _check(template, variables)
    faults: list[Fault] = []
    email = _collected(faults, lambda: renderer.email(template, variables, [locale], PLACEHOLDERS))
    push = _collected(faults, lambda: renderer.push(template, variables, [locale], PLACEHOLDERS))
    if faults:
        raise _refusal(template, faults)
    rendered = Rendered(
        template_id=template.id,
        version=template.version,
        locales=_locales(template, locale),
        email=email,
        push=push,
        bytes=_sizes(email, push),
    )
    required = template.category in NO_LINK_EXPECTED
    warnings = render_warnings(template, rendered, variables, required_category=required)
    return msgspec.structs.replace(rendered, warnings=warnings)


def _check(template: CompiledTemplate, variables: Mapping[str, Any]) -> None:
    faults = check_variables(template.schema, variables) if template.schema else []
    if faults:
        words = "; ".join(f"{fault.path}: {fault.message}" for fault in faults)
        raise Unprocessable(
            f"The variables do not fit the schema of {template.id}: {words}",
            code="invalid_variables",
            errors=field_faults(faults),
        )


def _collected(faults: list[Fault], render: Callable[[], T | None]) -> T | None:
    try:
        return render()
    except RenderError as error:
        faults += error.faults
        return None


def _locales(template: CompiledTemplate, wanted: str | None) -> dict[Channel, str]:
    picked = ((channel, pick_locale(template, channel, [wanted])) for channel in Channel)
    return {channel: locale for channel, locale in picked if locale is not None}


def _sizes(email: RenderedEmail | None, push: RenderedPush | None) -> dict[Channel, int]:
    sizes: dict[Channel, int] = {}
    if email is not None:
        parts = (email.subject, email.html or "", email.text or "")
        sizes[Channel.EMAIL] = sum(len(part.encode()) for part in parts)
    if push is not None:
        sizes[Channel.PUSH] = len(msgspec.json.encode(push))
    return sizes


def _refusal(template: CompiledTemplate, faults: Sequence[Fault]) -> Unprocessable:
    words = "; ".join(fault.message for fault in faults)
    return Unprocessable(
        f"Version {template.version} of {template.id} cannot be rendered: {words}",
        code="missing_variable" if all(fault.variable for fault in faults) else "render_failed",
        errors=field_faults(faults),
    )
