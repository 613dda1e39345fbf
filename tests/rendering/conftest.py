from collections.abc import Callable
from itertools import count

import pytest

from tidings.contracts.templates import CompiledTemplate, EmailForm, LocalForms, PushForm
from tidings.rendering import required_variables

MakeTemplate = Callable[..., CompiledTemplate]


@pytest.fixture(scope="session")
def make_template() -> MakeTemplate:
    """`make_template(en=LocalForms(...))`: a compiled template as workers read it, with an id of its own."""
    numbers = count()

    def make(
        template_id: str | None = None,
        version: int = 1,
        partials: dict[str, str] | None = None,
        **forms: LocalForms,
    ) -> CompiledTemplate:
        by_locale = {locale.replace("_", "-"): local for locale, local in forms.items()}
        return CompiledTemplate(
            id=template_id or f"template-{next(numbers)}",
            version=version,
            default_locale="en",
            category="transactional",
            forms=by_locale,
            variables=required_variables(by_locale, partials),
            partials=partials or {},
        )

    return make


@pytest.fixture(scope="session")
def make_email(make_template: MakeTemplate) -> Callable[..., CompiledTemplate]:
    """`make_email("Hello {{ name }}", html="<p>…</p>")`: a template with only that email."""

    def make(
        subject: str = "Hello",
        *,
        html: str | None = None,
        text: str | None = None,
        partials: dict[str, str] | None = None,
    ) -> CompiledTemplate:
        email = EmailForm(subject=subject, html=html, text=text)
        return make_template(partials=partials, en=LocalForms(email=email))

    return make


@pytest.fixture(scope="session")
def make_push(make_template: MakeTemplate) -> Callable[..., CompiledTemplate]:
    """`make_push("Hello {{ name }}", data={…})`: a template with only that push notification."""

    def make(title: str = "Hello", **fields: object) -> CompiledTemplate:
        push = PushForm(title=title, **fields)  # type: ignore[arg-type] # the test says which fields
        return make_template(en=LocalForms(push=push))

    return make
