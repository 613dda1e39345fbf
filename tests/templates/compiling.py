"""Compiling one email, for the tests of what it becomes."""

from collections.abc import Mapping
from typing import Any

from tidings.contracts.templates import (
    CompiledTemplate,
    EmailContent,
    EmailForm,
    LocalContent,
    RenderedEmail,
    TemplateContent,
)
from tidings.rendering import Renderer
from tidings.templates.compiling import Compiled, compile_content


def content(category: str = "news", **fields: Any) -> TemplateContent:  # noqa: ANN401 - the fields of an email
    """A template with one English email: `content(subject="…", html="…")`."""
    email = EmailContent(**{"subject": "s", **fields})
    return TemplateContent(content={"en": LocalContent(email=email)}, category=category)


def compiled(partials: Mapping[str, str] | None = None, **fields: Any) -> CompiledTemplate:  # noqa: ANN401 - the same
    """The email compiled; it must be without faults."""
    source = content(**fields)
    result = compile_content(source, partials or {})
    assert isinstance(result, Compiled), result
    return result.template("t", 1, source)


def form(partials: Mapping[str, str] | None = None, **fields: Any) -> EmailForm:  # noqa: ANN401 - the same
    """The email's compiled form."""
    email = compiled(partials, **fields).forms["en"].email
    assert email is not None
    return email


def faults(partials: Mapping[str, str] | None = None, **fields: Any) -> dict[str, str]:  # noqa: ANN401 - the same
    """The messages of the faults that keep the email from being compiled, by path."""
    result = compile_content(content(**fields), partials or {})
    assert isinstance(result, list)
    return {fault.path: fault.message for fault in result}


def rendered(template: CompiledTemplate, variables: Mapping[str, Any] | None = None) -> RenderedEmail:
    """The email filled in."""
    email = Renderer().email(template, variables or {})
    assert email is not None
    return email
