"""What works and is probably not meant."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tidings.contracts.codes import Channel
from tidings.contracts.templates import CompiledTemplate, Rendered, RenderWarning
from tidings.rendering import PROVIDED, mentioned_variables
from tidings.rendering.fields import path_to

CLIPPED_HTML_BYTES = 102_400
"""Gmail shows the first 102 KB of an email's html and hides the rest, unsubscribe link included."""

LARGEST_PUSH_BYTES = 4_096
"""What FCM and APNs take of a push notification, as JSON."""


def render_warnings(
    template: CompiledTemplate, rendered: Rendered, variables: Mapping[str, Any], *, required_category: bool
) -> list[RenderWarning]:
    """What to look at before sending the template as it was `rendered` with the `variables`.

    `required_category`: its recipients cannot switch the category off, so it needs no unsubscribe link.
    """
    return [
        *_unused(template, variables),
        *_email_forms(template, rendered, required=required_category),
        *_sizes(rendered),
    ]


def _unused(template: CompiledTemplate, variables: Mapping[str, Any]) -> Iterator[RenderWarning]:
    used = mentioned_variables(template.forms, template.partials)
    for name in sorted(variables.keys() - (used - PROVIDED)):
        words = (
            "is provided by the platform; what is given is not used" if name in PROVIDED else "is not used"
        )
        yield RenderWarning(code="unused_variable", field=f"$.variables.{name}", message=f"`{name}` {words}")


def _email_forms(
    template: CompiledTemplate, rendered: Rendered, *, required: bool
) -> Iterator[RenderWarning]:
    locale = rendered.locales.get(Channel.EMAIL)
    form = template.forms[locale].email if locale else None
    if locale is None or form is None:
        return
    if form.text_made:
        yield RenderWarning(
            code="missing_text",
            field=path_to(locale, Channel.EMAIL, "text"),
            message=f"the email ({locale}) has no text of its own; one was made from the html",
        )
    for field, source in (("html", form.html), ("text", form.text)):
        if required or source is None or _mentions_way_out(source, template):
            continue
        yield RenderWarning(
            code="missing_unsubscribe_link",
            field=path_to(locale, Channel.EMAIL, field),
            message=(
                f"the {field} ({locale}) has no unsubscribe link, and its category can be switched off;"
                " link to {{ unsubscribe_url }} or {{ preferences_url }}"
            ),
        )


def _mentions_way_out(source: str, template: CompiledTemplate) -> bool:
    pieces = (source, *template.partials.values()) if "import" in source else (source,)
    return any(name in piece for name in PROVIDED for piece in pieces)


def _sizes(rendered: Rendered) -> Iterator[RenderWarning]:
    email, push = rendered.email, rendered.push
    html = len((email.html or "").encode()) if email else 0
    if html > CLIPPED_HTML_BYTES:
        yield RenderWarning(
            code="html_too_large",
            field=path_to(rendered.locales[Channel.EMAIL], Channel.EMAIL, "html"),
            message=f"the html has {html:,} bytes; Gmail hides what follows the first {CLIPPED_HTML_BYTES:,}",
        )
    payload = len(msgspec.json.encode(push)) if push else 0
    if payload > LARGEST_PUSH_BYTES:
        yield RenderWarning(
            code="push_too_large",
            field=f"$.content.{rendered.locales[Channel.PUSH]}.push",
            message=f"the push has {payload:,} bytes; providers refuse more than {LARGEST_PUSH_BYTES:,}",
        )
