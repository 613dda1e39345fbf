"""The templates that come with Tidings, as a person who starts with them finds them."""

import re
from collections.abc import Iterator

import pytest

from tidings.cli.templates.local import LocalTemplate
from tidings.cli.templates.ready_made import ready_made

CONTENTS = ready_made()
LANGUAGES = {"en", "de", "pt-BR"}


@pytest.fixture(params=sorted(CONTENTS.templates))
async def template(request: pytest.FixtureRequest) -> LocalTemplate:
    return await LocalTemplate.compile(request.param, CONTENTS)


def _htmls(template: LocalTemplate) -> Iterator[str]:
    for locale in LANGUAGES:
        email = template.render(locale).email
        assert email is not None
        assert email.html is not None
        yield email.html


def test_which_there_are() -> None:
    """The seven that every product needs are there."""
    assert set(CONTENTS.templates) == {
        *("welcome", "email-verification", "password-reset", "one-time-code"),
        *("invoice", "security-alert", "digest"),
    }


async def test_every_language_renders_without_a_warning(template: LocalTemplate) -> None:
    """Each has its schema and sample, and says everything in three languages, with a text form of its own."""
    assert template.content.schema is not None
    assert template.content.sample
    assert set(template.content.content) == LANGUAGES
    for locale, local in template.content.content.items():
        assert local.email is not None
        assert local.email.text
        rendered = template.render(locale)
        assert rendered.warnings == []
        assert set(rendered.locales.values()) == {locale}


async def test_nothing_is_loaded_from_elsewhere(template: LocalTemplate) -> None:
    """No image, font or style sheet is fetched when an email is opened."""
    for html in _htmls(template):
        assert re.findall(r"<(?:img|link)\b|@import|url\(|src=", html) == []


async def test_readable_in_the_dark(template: LocalTemplate) -> None:
    """Clients are told that both colour schemes are fine, and find the rules for the dark one."""
    for html in _htmls(template):
        assert '<meta name="color-scheme" content="light dark"' in html
        assert "@media (prefers-color-scheme: dark)" in html


async def test_screen_readers_know_the_language(template: LocalTemplate) -> None:
    """The document names its language and its title."""
    for locale, html in zip(LANGUAGES, _htmls(template), strict=True):
        assert f'<html lang="{locale}"' in html
        assert re.search(r"<title>[^<{]+</title>", html)


def test_colours_have_enough_contrast() -> None:
    """Words stand out from what is behind them by 4.5 to 1, by day and in the dark (WCAG 2.2, 1.4.3)."""
    light = [("#333b48", "#ffffff"), ("#5b6472", "#ffffff"), ("#5b6472", "#f1f3f6"), ("#1d4ed8", "#f1f3f6")]
    dark = [("#e4e7ec", "#1b2028"), ("#a9b2c0", "#101318"), ("#93b4ff", "#1b2028"), ("#ffffff", "#262d38")]
    pairs = [*light, *dark, ("#ffffff", "#1d4ed8"), ("#14181f", "#eef1f6")]
    layout = CONTENTS.partials["email-layout"]
    assert [colour for pair in pairs for colour in pair if colour not in layout] == []
    assert [pair for pair in pairs if _contrast(*pair) < 4.5] == []


def test_welcome_is_what_the_first_request_sends() -> None:
    """The first template works with a name and a link, and greets in the subject and the title."""
    welcome = CONTENTS.templates["welcome"].content["en"]
    assert welcome.email is not None
    assert welcome.push is not None
    assert (welcome.email.subject, welcome.push.title) == ("Welcome, {{ name }}", "Welcome, {{ name }}")
    assert "{{ link }}" in (welcome.email.text or "")


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    values = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
