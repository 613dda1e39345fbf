import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.compiling import compiled, form, rendered

SHEET = "<style>p { margin: 0 } .a { color: {{ brand }} } .b > td { padding: 1px !important }</style>"


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("<p>x</p>", '<p style="margin: 0">x</p>'),
        ("<p class=a>x</p>", '<p style="margin: 0;color: {{ brand }}" class=a>x</p>'),
        ('<p style="color:red">x</p>', '<p style="margin: 0; color:red">x</p>'),
        ("<p style='font:\"A\"'>x</p>", "<p style='margin: 0; font:\"A\"'>x</p>"),
        ("<p style=color:red>x</p>", '<p style="margin: 0; color:red">x</p>'),
        ("<P title=\" style='q'\">x</P>", '<P style="margin: 0" title=" style=\'q\'">x</P>'),
        (
            '<p style="{% if x %}color:red{% endif %}">x',
            '<p style="margin: 0; {% if x %}color:red{% endif %}">x',
        ),
        ("<p title='{{ \">\" }}'>x</p>", '<p style="margin: 0" title=\'{{ ">" }}\'>x</p>'),
        ("<br class=a />", '<br style="color: {{ brand }}" class=a />'),
    ],
)
def test_rules_are_copied_into_elements(source: str, html: str) -> None:
    """A rule's declarations come before what the element says itself, and keep their expressions."""
    assert form(html=SHEET + source).html == SHEET + html


@pytest.mark.parametrize(
    "source",
    [
        '<b class="a {{ kind }}">x</b>',
        '<b {% if x %}class="a"{% endif %}>x</b>',
        '<b class="{% if x %}a{% endif %}">x</b>',
        "<!-- <p> -->",
        "<!--[if mso]><p><![endif]-->",
        "{# <p> #}",
        "{% raw %}<p>{% endraw %}",
        "{{ '<p>' }}",
        "<title><p></title>",
        "<b>{{ a > b }}{% if a < b %}&nbsp;&#8199;é 🎉 שלום{% endif %}</b>",
    ],
)
def test_what_varies_or_is_no_element_is_left_alone(source: str) -> None:
    """An element whose class changes from render to render is left to the style sheet, as all text is."""
    assert form(html=SHEET + source).html == SHEET + source


def test_rows_in_a_loop_stay_in_their_table() -> None:
    """Statements between the rows and cells of a table stay where they are, and each row gets its style."""
    source = (
        "<table>{% for r in rows %}<tr class='b'>{% if r %}<td>{{ r }}</td>{% endif %}</tr>"
        "{% else %}<tr><td>none</td></tr>{% endfor %}</table>"
    )
    html = form(html=SHEET + source).html or ""
    assert html.removeprefix(SHEET) == source.replace("<td>{{", '<td style="padding: 1px !important">{{')


@pytest.mark.parametrize(
    "sheet",
    [
        "<style>@media (prefers-color-scheme: dark) { p { color: #fff !important } }</style>",
        "<style>a:hover { color: red } [data-ogsc] p { color: #fff }</style>",
        '<style media="print">p { color: red }</style>',
        "<style>{% if dark %}p { color: #fff }{% endif %}</style>",
        '<link rel="stylesheet" href="http://127.0.0.1:9/absent.css">',
        "<style>@media {</style>",
        "<!--[if mso]><style>p { color: red }</style><![endif]-->",
    ],
)
def test_sheets_that_cannot_be_inlined_stay(sheet: str) -> None:
    """Media queries, states and conditional sheets are kept as they are; nothing is fetched."""
    html = form(html=f"{sheet}<p>x</p>").html or ""
    assert html.startswith(sheet)
    assert html.endswith("x</p>")
    assert "color" not in html.removeprefix(sheet)


TEXTS = ["{{ a }}", "{{ '<p>' }}", " text ", "&lt;", "{% if a %}x{% else %}<i>y</i>{% endif %}", "é🎉"]
OPENINGS = ["<p>", "<td>", "<tr>", "<table>", '<p class="a">', "<a href={{ a }}>"]
VARYING = ["<P style='x:y' {% if a %}id=z{% endif %}>", '<img alt="{{ a }}">', "<p class={{ a }}>"]
CLOSINGS = ["</p>", "</td>", "</tr>", "</table>", "</a>", "<br/>"]
OTHERS = ["<!-- <p> -->", "{# <p> #}", "{% raw %}{{<p>{% endraw %}", "{%- if a -%} <p> {%- endif +%}"]
PIECES = [*TEXTS, *OPENINGS, *VARYING, *CLOSINGS, *OTHERS]
LOOPS = st.sampled_from(["{% for i in list %}%s{% endfor %}", "{% if list %}%s{% endif %}", "%s"])
SOURCES = st.lists(
    st.tuples(LOOPS, st.lists(st.sampled_from(PIECES), max_size=4).map("".join)),
    max_size=5,
).map(lambda parts: "".join(loop.replace("%s", inside) for loop, inside in parts))
STYLE = re.compile(r"""\sstyle=("[^"]*"|'[^']*')""")


@given(
    source=SOURCES, values=st.fixed_dictionaries({"a": st.text(), "list": st.lists(st.none(), max_size=3)})
)
def test_inlining_changes_nothing_but_styles(source: str, values: dict[str, object]) -> None:
    """However broken the html, it renders as before, but for the style attributes."""
    sheet = "<style>p, td { margin: 0 } .a { color: red } table { border: 0 }</style>"
    plain = rendered(compiled(html=source), values).html or ""
    styled = rendered(compiled(html=sheet + source), values).html or ""
    assert STYLE.sub("", styled.removeprefix(sheet)) == STYLE.sub("", plain)
