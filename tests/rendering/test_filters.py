from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.contracts.templates import CompiledTemplate, LocalForms, PushForm
from tidings.rendering import Renderer, RenderError

Make = Callable[..., CompiledTemplate]

WHEN = "2026-03-01T22:30:00Z"


def shown(make_template: Make, expression: str, value: object, locale: str) -> str:
    form = LocalForms(push=PushForm(title="{{ " + expression + " }}"))
    forms = {locale.replace("-", "_"): form, "en": form}
    rendered = Renderer().push(make_template(**forms), {"v": value}, [locale])
    assert rendered is not None
    return rendered.title.replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("expression", "value", "locale", "words"),
    [
        ("v|date", "2026-03-01", "en", "Mar 1, 2026"),
        ("v|date('full')", "2026-03-01", "pt-BR", "domingo, 1 de março de 2026"),
        ("v|date('d. MMMM y')", WHEN, "de", "1. März 2026"),
        ("v|date(zone='Asia/Tokyo')", WHEN, "en", "Mar 2, 2026"),
        ("v|date", 1772404200, "en", "Mar 1, 2026"),
        ("v|date", "2026-03-01", "xx", "Mar 1, 2026"),
        ("v|time", WHEN, "en", "10:30 PM"),
        ("v|time", "18:30", "de", "18:30"),
        ("v|time('short', 'America/New_York')", WHEN, "en", "5:30 PM"),
        ("v|datetime('short', zone='Europe/Lisbon')", "2026-07-01T10:00:00+00:00", "fr", "01/07/2026 11:00"),
        ("v|datetime('short')", "2026-07-01T10:00:00+02:00", "en", "7/1/26, 10:00 AM"),
        ("v|number", 1234567.5, "de", "1.234.567,5"),
        ("v|number", 1234567.5, "hi", "12,34,567.5"),
        ("v|number(2)", "1234.5", "en", "1,234.50"),
        ("v|percent", 0.256, "fr", "26 %"),
        ("v|percent(1)", 0.256, "en", "25.6%"),
        ("v|currency('EUR')", 1234.5, "de", "1.234,50 €"),
        ("v|currency('JPY')", 1234, "en", "¥1,234"),
        ("v|upper", "minijinja's own", "en", "MINIJINJA'S OWN"),
    ],
)
def test_values_are_shown_in_the_readers_language(
    make_template: Make, expression: str, value: object, locale: str, words: str
) -> None:
    """Dates, times, numbers and money look as the locale that is used writes them."""
    assert shown(make_template, expression, value, locale) == words


def test_each_render_has_its_own_locale(make_template: Make) -> None:
    """One renderer serves readers of several languages in turn."""
    form = LocalForms(push=PushForm(title="{{ v|number }}"))
    template, renderer = make_template(en=form, de=form), Renderer()
    titles = [
        push.title for locale in ("de", "en", "de") if (push := renderer.push(template, {"v": 1.5}, [locale]))
    ]
    assert titles == ["1,5", "1.5", "1,5"]


@pytest.mark.parametrize(
    ("expression", "value", "words"),
    [
        ("v|date", "tomorrow", "date: 'tomorrow' is not a date or time as ISO 8601 writes it"),
        ("v|date", [], "date: [] is neither an ISO 8601 string nor seconds since 1970"),
        ("v|date", None, "date: the value is missing or null"),
        ("v|date(zone='Mars/Base')", WHEN, "date: there is no time zone 'Mars/Base'"),
        ("v|date(5)", WHEN, "date: write it as date(format)"),
        ("v|number", "many", "number: 'many' is not a number"),
        ("v|number", True, "number: True is not a number"),
        ("v|number", "1e999999", "number: '1e999999' is too large to show"),
        ("v|number(99)", 1, "number: decimals is 99, and must be between 0 and 9"),
        ("v|currency('euro')", 1, "currency: 'euro' is not an ISO 4217 code such as EUR"),
        ("v|currency", 1, 'currency: write it as currency("EUR")'),
    ],
)
def test_value_that_does_not_fit_is_refused(
    make_push: Make, expression: str, value: object, words: str
) -> None:
    """What a filter cannot show is an error that names the field and the filter."""
    with pytest.raises(RenderError) as caught:
        Renderer().push(make_push("{{ " + expression + " }}"), {"v": value})
    (fault,) = caught.value.faults
    assert fault.path == "$.content.en.push.title"
    assert fault.message.startswith(f"push.title (en), {words}")


def test_missing_value_is_not_shown_as_nothing(make_push: Make) -> None:
    """A filter on what is not there is an error, not an empty place in a message."""
    with pytest.raises(RenderError, match="date: the value is missing or null"):
        Renderer().push(make_push("{{ user.born|date }}"), {"user": {}})


NUMBERS = st.integers() | st.floats() | st.decimals().map(str)
OTHERS = st.none() | st.booleans() | st.text() | st.lists(st.integers())
FILTERS = ["date", "time", "datetime", "number", "percent", "currency('EUR')", "number(9)", "percent(9)"]


@given(
    value=NUMBERS | OTHERS,
    name=st.sampled_from(FILTERS),
    locale=st.sampled_from(["en", "ar", "pt-BR", "zh-Hant"]),
)
def test_no_value_breaks_more_than_the_render(
    make_template: Make, value: object, name: str, locale: str
) -> None:
    """Any value is shown or refused, in few words."""
    try:
        length = len(shown(make_template, f"v|{name}", value, locale))
    except RenderError as error:
        length = len(error.faults[0].message)
    assert length < 250
