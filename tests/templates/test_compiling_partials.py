import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.compiling import compiled, content, faults, form, rendered
from tidings.contracts.templates import CompiledTemplate, EmailForm, LocalForms
from tidings.rendering import Renderer, RenderError
from tidings.templates.compiling import Compiled, compile_content

PARTIALS = {
    "footer": "<p>{{ name }}</p>",
    "base": "<style>p { margin: 0 }</style>{% block main %}<p>none</p>{% endblock %}{% include 'footer' %}",
    "wide": "{% extends 'base' %}{% block main %}<b>{{ super() }}</b>{% endblock %}",
    "buttons": "{% macro button(label) %}<a>{{ label }}{% include 'mark' %}</a>{% endmacro %}",
    "mark": "*",
}


def test_layouts_and_partials_are_put_in_their_places() -> None:
    """A layout's styles reach what a template puts in its blocks, and the text form has all of it."""
    source = "{% extends 'wide' %}{% block main %}[{{ super() }}]{% endblock %}"
    email = form(PARTIALS, html=source)
    assert (email.html or "").removeprefix("<style>p { margin: 0 }</style>") == (
        '[<b><p style="margin: 0">none</p></b>]<p style="margin: 0">{{ name }}</p>'
    )
    assert email.text == "[\n\nnone\n\n]\n\n{{ name }}\n"


def test_partials_are_kept_as_they_were() -> None:
    """A version keeps the sources of all it uses, so that it can be told apart from a later one."""
    template = compiled(PARTIALS, html="{% import 'buttons' as b %}{{ b.button(x) }}{% include 'footer' %}")
    assert template.partials == {name: PARTIALS[name] for name in ("buttons", "footer", "mark")}
    assert rendered(template, {"x": 1, "name": "<"}).html == "<a>1*</a><p>&lt;</p>"


@pytest.mark.parametrize(
    ("partials", "source", "words"),
    [
        (
            {"a": "{% include 'b' %}", "b": "{% include 'a' %}"},
            "{% if x %}{% include 'a' %}{% endif %}",
            "a includes itself: a > b > a",
        ),
        ({"a": "{% extends 'a' %}"}, "{% extends 'a' %}", "a includes itself: a > a"),
        ({}, "{% if x %}{% include 'absent' %}{% endif %}", "there is no partial named absent"),
        ({"a": ""}, "{% if x %}{% include name %}{% endif %}", "a partial is named by a string in quotes"),
        ({"a": ""}, "{{ x }}{% extends 'a' %}", "must come before every other tag"),
        (
            {str(n): f"{{% include '{n + 1}' %}}" for n in range(30)},
            "{% if x %}{% include '0' %}{% endif %}",
            "nested deeper than 20",
        ),
        (
            {str(n): f"{{% include '{n + 1}' %}}{{% include '{n + 1}' %}}" for n in range(15)} | {"15": ""},
            "{% if x %}{% include '0' %}{% endif %}",
            "more than 10,000 partials",
        ),
        (
            {"a": "x" * 400_000},
            "{% if x %}" + "{% include 'a' %}" * 3 + "{% endif %}",
            "longer than 1,048,576 characters",
        ),
    ],
    ids=["circle", "own layout", "absent", "by variable", "late layout", "depth", "doubling", "length"],
)
def test_partial_that_cannot_be_put_in_place_is_a_fault(
    partials: dict[str, str], source: str, words: str
) -> None:
    """Circles, absent partials and bombs are named when the template is published."""
    assert words in faults(partials, text=source)["$.content.en.email.text"]


PIECES = [
    "{{ name }}",
    " text\n",
    "{% include 'footer' %}",
    "{%- include 'mark' -%}",
    "{% include 'absent' ignore missing %}",
    "{% set name = 'set' %}",
    "{% for i in items %}{{ i }}{% include 'mark' %}{% endfor %}",
    "{% if items %} a {%- else -%} b {% endif %}",
    "{% raw %}{% include 'footer' %}{% endraw %}",
    "{# {% include 'absent' %} #}",
    "{{ '{% include \"absent\" %}' }}",
]
BODIES = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
BLOCKS = st.lists(st.sampled_from([*PIECES, "{{ super() }}", "{{- super() -}}"]), max_size=4).map("".join)


@given(layout_body=BODIES, body=BODIES, inner=BLOCKS, outer=BODIES)
def test_partials_in_place_render_as_the_engine_would(
    layout_body: str, body: str, inner: str, outer: str
) -> None:
    """Whatever is included and extended, a compiled template renders what the engine makes of its source."""
    partials = {
        **PARTIALS,
        "own": (
            f"{layout_body}{{% block main -%}}{body}{{%- endblock %}} {{%- block end %}}.{{% endblock -%}} x"
        ),
    }
    source = f"{{% extends 'own' %}}{outer}{{% block main %}}{inner}{{% endblock %}}"
    result = compile_content(content(text=source), partials)
    assert isinstance(result, Compiled)
    variables = {"name": "<", "items": [1, 2]}
    forms = {"en": LocalForms(email=EmailForm(subject="s", text=source))}
    plain = CompiledTemplate(
        id="plain", version=1, default_locale="en", category="c", variables={}, forms=forms, partials=partials
    )
    assert rendered(result.template("t", 1, content(text=source)), variables) == rendered(plain, variables)


def test_a_bomb_that_only_goes_off_when_rendered_is_an_error() -> None:
    """What compiling lets through is stopped by the limits of rendering."""
    source = "{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}"
    with pytest.raises(RenderError, match="it takes more than 100,000 steps"):
        Renderer().email(compiled(text=source), {})
