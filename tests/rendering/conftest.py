from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

import msgspec
import pytest

from tidings.contracts.http import EmailContent, LocalContent, PushContent, StoredContent, Template
from tidings.rendering import required_variables

MakeTemplate = Callable[..., Template]


@pytest.fixture(scope="session")
def make_template() -> MakeTemplate:
    """`make_template(en=LocalContent(...))`: a stored template as workers read it, with an id of its own."""
    numbers = count()

    def make(template_id: str | None = None, version: int = 1, **content: LocalContent) -> Template:
        by_locale = {locale.replace("_", "-"): local for locale, local in content.items()}
        return Template(
            id=template_id or f"template-{next(numbers)}",
            version=version,
            default_locale="en",
            content=msgspec.convert(msgspec.to_builtins(by_locale), dict[str, StoredContent]),
            variables=required_variables(by_locale),
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )

    return make


@pytest.fixture(scope="session")
def make_email(make_template: MakeTemplate) -> Callable[..., Template]:
    """`make_email("Hello {{ name }}", html="<p>…</p>")`: a template with only that email."""

    def make(subject: str = "Hello", *, html: str | None = None, text: str | None = None) -> Template:
        email = EmailContent(subject=subject, html=html, text=text)
        return make_template(en=LocalContent(email=email))

    return make


@pytest.fixture(scope="session")
def make_push(make_template: MakeTemplate) -> Callable[..., Template]:
    """`make_push("Hello {{ name }}", data={…})`: a template with only that push notification."""

    def make(title: str = "Hello", **fields: object) -> Template:
        push = PushContent(title=title, **fields)  # type: ignore[arg-type] # the test says which fields
        return make_template(en=LocalContent(push=push))

    return make
