from collections.abc import Callable

import pytest

from tidings.contracts.templates import CompiledTemplate
from tidings.rendering import Renderer, RenderError

Make = Callable[..., CompiledTemplate]

PARTIALS = {
    "footer": "<i>{{ name }}</i>",
    "base": "<b>{% block main %}nothing{% endblock %}</b>{% include 'footer' %}",
    "buttons": "{% macro button(label) %}<a>{{ label }}</a>{% endmacro %}",
    "endless": "{% include 'endless' %}",
}


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("{% include 'footer' %}", "<i>&lt;</i>"),
        (
            "{% extends 'base' %}{% block main %}{{ super() }}{{ name }}{% endblock %}",
            "<b>nothing&lt;</b><i>&lt;</i>",
        ),
        ("{% import 'buttons' as b %}{{ b.button(name) }}", "<a>&lt;</a>"),
        ("{% from 'buttons' import button %}{{ button('x') }}", "<a>x</a>"),
        ("{% include 'absent' ignore missing %}.", "."),
    ],
)
def test_partials_are_used_by_name(make_email: Make, source: str, html: str) -> None:
    """Includes, layouts and macros work, and values in them are escaped as in the html that uses them."""
    rendered = Renderer().email(make_email(html=source, partials=PARTIALS), {"name": "<"})
    assert rendered is not None
    assert rendered.html == html


def test_partials_in_text_are_not_escaped(make_email: Make) -> None:
    """The same partial used from the text form prints values as they are."""
    rendered = Renderer().email(make_email(text="{% include 'footer' %}", partials=PARTIALS), {"name": "<"})
    assert rendered is not None
    assert rendered.text == "<i><</i>"


def test_templates_have_partials_of_their_own(make_email: Make) -> None:
    """Two templates, or versions, that include the same name each get what they were published with."""
    renderer = Renderer()
    old = make_email("{% include 'footer' %}", partials={"footer": "old"})
    new = make_email("{% include 'footer' %}", partials={"footer": "new"})
    subjects = [email.subject for t in (old, new, old) if (email := renderer.email(t, {}))]
    assert subjects == ["old", "new", "old"]


def test_partials_that_include_themselves_are_an_error(make_email: Make) -> None:
    """An endless inclusion is refused with the name of the partial."""
    with pytest.raises(RenderError, match="partial endless, line 1: recursion limit exceeded"):
        Renderer().email(make_email(text="{% include 'endless' %}", partials=PARTIALS), {"name": ""})


def test_what_is_missing_in_a_partial_is_named(make_email: Make) -> None:
    """A variable that a partial lacks is named with the partial and its line."""
    template = make_email(text="{% include 'p' %}", partials={"p": "\n{{ user.name }}"})
    with pytest.raises(RenderError) as caught:
        Renderer().email(template, {"user": {}})
    assert [(fault.path, fault.message) for fault in caught.value.faults] == [
        ("$.variables.user.name", "email.text (en), partial p, line 2: `user.name` is undefined")
    ]


def test_forgotten_partials_are_compiled_again(make_email: Make) -> None:
    """A renderer that keeps one form renders templates with partials in turn, over and over."""
    renderer = Renderer(keep=1)
    templates = [make_email("{% include 'p' %}", partials={"p": name}) for name in "abc"]
    subjects = [email.subject for _ in range(3) for t in templates if (email := renderer.email(t, {}))]
    assert subjects == ["a", "b", "c"] * 3
