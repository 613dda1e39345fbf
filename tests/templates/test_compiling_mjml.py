import re

import pytest

from templates.compiling import compiled, faults, form, rendered

TEXT = "<mj-section><mj-column><mj-text>{}</mj-text></mj-column></mj-section>"


def page(body: str, head: str = "") -> str:
    return f"<mjml><mj-head>{head}</mj-head><mj-body>{body}</mj-body></mjml>"


def test_mjml_becomes_responsive_html() -> None:
    """Columns, buttons and texts become tables that mail clients understand, and a text form is made."""
    email = form(mjml=page(TEXT.format("Hi {{ name }}<br>&nbsp;&amp; you")), preheader="P")
    html = email.html or ""
    assert html.startswith("<!doctype html>")
    assert "@media only screen and (min-width:480px)" in html
    assert "Hi {{ name }}<br />&nbsp;&amp; you" in html
    assert email.text == "Hi {{ name }}\n& you\n"
    assert html.index("P&#847;") < html.index("Hi")


COLUMN = "<mj-column><mj-text>{{ i }}</mj-text></mj-column>"


def looped(inside: str) -> str:
    return "{% for i in items %}" + inside + "{% endfor %}"


@pytest.mark.parametrize(
    "body",
    [
        looped(f"<mj-section>{COLUMN}</mj-section>"),
        f"<mj-section>{looped(COLUMN)}</mj-section>",
        f"<mj-section><mj-column>{looped('<mj-text>{{ i }}</mj-text>')}</mj-column></mj-section>",
        TEXT.format(looped("{{ i }} ")),
        TEXT.replace("mj-text", "mj-table").format(looped("<tr><td>{{ i }}</td></tr>")),
        f"<mj-wrapper>{looped(f'<mj-section>{COLUMN}</mj-section>')}</mj-wrapper>",
        f"<mj-section><mj-group>{looped(COLUMN)}</mj-group></mj-section>",
        f"<mj-hero>{looped('<mj-text>{{ i }}</mj-text>')}</mj-hero>",
        f"<mj-raw>{looped('<p>{{ i }}</p>')}</mj-raw>",
    ],
    ids=["sections", "columns", "texts", "in a text", "rows", "wrapper", "group", "hero", "raw"],
)
def test_statements_stay_around_what_they_repeat(body: str) -> None:
    """A loop may go around sections, columns, texts and rows."""
    email = rendered(compiled(mjml=page(body)), {"items": ["one", "two"]})
    assert [word for word in re.split(r"\W", email.html or "") if word in {"one", "two"}] == ["one", "two"]
    assert (email.text or "").split() == ["one", "two"]


def test_expressions_in_attributes_are_filled_in() -> None:
    """Links, images and colours may come from variables."""
    body = (
        "<mj-section><mj-column><mj-button href='{{ url }}' background-color='{{ brand }}'>Go</mj-button>"
        "<mj-image src='{{ image }}' alt='{{ alt|default(\"x > y\") }}' /></mj-column></mj-section>"
    )
    html = (
        rendered(compiled(mjml=page(body)), {"url": "https://u", "brand": "#123456", "image": "i.png"}).html
        or ""
    )
    assert 'href="https://u"' in html
    assert "background:#123456" in html
    assert 'alt="x &gt; y"' in html


def test_partials_are_mjml_before_translation() -> None:
    """Layouts and partials of MJML are put in place first, and translated with the rest."""
    partials = {
        "base": page("{% block main %}{% endblock %}{% include 'footer' %}"),
        "footer": TEXT.format("{{ company }}"),
    }
    source = "{% extends 'base' %}{% block main %}" + TEXT.format("Hi") + "{% endblock %}"
    assert form(partials, mjml=source).text == "Hi\n\n{{ company }}\n"


def test_styles_are_inlined_where_mjml_says_so() -> None:
    """`inline="inline"` is inlined, also in tables with loops; other styles stay a sheet."""
    head = "<mj-style inline='inline'>.a { color: {{ brand }} }</mj-style><mj-style>.a { top: 0 }</mj-style>"
    table = "<mj-table>{% for i in items %}<tr class='a'><td>{{ i }}</td></tr>{% endfor %}</mj-table>"
    html = form(mjml=page(f"<mj-section><mj-column>{table}</mj-column></mj-section>", head)).html or ""
    assert "{% for i in items %}<tr style=\"color: {{ brand }}\" class='a'>" in html.replace(
        'class="a"', "class='a'"
    )
    assert ".a { top: 0 }" in html
    assert "top: 0" not in html.replace(".a { top: 0 }", "")


def test_no_font_is_fetched_unasked() -> None:
    """The translated page asks no third party for anything."""
    html = form(mjml=page(TEXT.format("x"))).html or ""
    assert not re.search(r"(?:src|href|url\()[=\"']*https?:", html)


@pytest.mark.parametrize(
    ("mjml", "words"),
    [
        ("nope", "line 1: syntax error; MJML is XML"),
        (page("\n<mj-foo/>"), "line 2: mj-foo is not an element that is understood"),
        (
            page("\n<mj-include path='/etc/passwd'/>"),
            "line 2: mj-include is not an element that is understood; use {% include %} instead",
        ),
        (page(TEXT.format("\n\na < b")), "line 3: not well-formed (invalid token); MJML is XML"),
        (page("<mj-section>\n<mj-column></mj-section>"), "line 2: mismatched tag; MJML is XML"),
        (page("{{ '\n' }}\n" + TEXT.format("<p>x")), "line 3: mismatched tag; MJML is XML"),
        (
            page("", "\n{% if a %}{% endif %}"),
            "line 2: MJML drops {% if a %} where it stands; put it in an mj-raw or a text",
        ),
        ("", "line 1: no element found; MJML is XML"),
    ],
)
def test_mjml_that_is_wrong_is_named_by_its_line(mjml: str, words: str) -> None:
    """What MJML does not understand, or would lose, is a fault with the line in the source."""
    assert faults(mjml=mjml) == {"$.content.en.email.mjml": f"email.mjml (en), {words}"}
