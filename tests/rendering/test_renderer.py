from collections.abc import Callable

import pytest

from tidings.contracts.templates import (
    CompiledTemplate,
    LocalForms,
    PushForm,
    RenderedAction,
    RenderedEmail,
    RenderedPush,
    StoredAction,
)
from tidings.rendering import Renderer, RenderError

Make = Callable[..., CompiledTemplate]


def fields_at_fault(
    renderer: Renderer, template: CompiledTemplate, variables: dict[str, object]
) -> dict[str, str]:
    with pytest.raises(RenderError) as caught:
        renderer.email(template, variables)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_email_fills_every_field(make_email: Make) -> None:
    """Subject, HTML and text are filled in; only the HTML is escaped."""
    template = make_email("{{ name }}", html="<p>{{ name }}</p>", text="{{ name }}\n")
    assert Renderer().email(template, {"name": "<Ada & Bob>"}) == RenderedEmail(
        subject="<Ada & Bob>", html="<p>&lt;Ada &amp; Bob&gt;</p>", text="<Ada & Bob>\n"
    )


def test_push_fills_every_field(make_push: Make) -> None:
    """Title, body, image, link, buttons and data values are filled in, unescaped."""
    template = make_push(
        "{{ n }}",
        body="b{{ n }}",
        image="i{{ n }}",
        link="l{{ n }}",
        actions=[StoredAction(id="a", title="t{{ n }}", link="u{{ n }}"), StoredAction(id="b", title="B")],
        data={"k.j": "d{{ n }}"},
    )
    assert Renderer().push(template, {"n": "<1>"}) == RenderedPush(
        title="<1>",
        body="b<1>",
        image="i<1>",
        link="l<1>",
        actions=[RenderedAction(id="a", title="t<1>", link="u<1>"), RenderedAction(id="b", title="B")],
        data={"k.j": "d<1>"},
    )


def test_urls_stay_readable_in_html(make_email: Make) -> None:
    """A slash is not escaped, so that links are found by what rewrites or checks them."""
    rendered = Renderer().email(
        make_email(html='<a href="{{ link }}">'), {"link": "https://x.example/?a=1&b=2"}
    )
    assert rendered is not None
    assert rendered.html == '<a href="https://x.example/?a=1&amp;b=2">'


def test_subject_is_one_line(make_email: Make) -> None:
    """A line break in a value cannot add a header."""
    rendered = Renderer().email(make_email("Hi {{ n }}"), {"n": "Ada\r\nBcc: all@example.com\n"})
    assert rendered is not None
    assert rendered.subject == "Hi Ada Bcc: all@example.com"


def test_null_prints_nothing(make_email: Make) -> None:
    """A value that is null leaves no word behind."""
    rendered = Renderer().email(make_email("Hi {{ n }}!"), {"n": None})
    assert rendered is not None
    assert rendered.subject == "Hi !"


def test_every_missing_variable_is_named(make_email: Make) -> None:
    """All missing variables are named at once, each with the fields that use it."""
    template = make_email("Hi {{ name }}", text="{{ name }} {{ link }} {{ given }}")
    assert fields_at_fault(Renderer(), template, {"given": 1}) == {
        "$.variables.link": "`link` has no value; used by email.text",
        "$.variables.name": "`name` has no value; used by email.subject, email.text",
    }


def test_missing_part_of_a_variable_is_named(make_email: Make) -> None:
    """A value that lacks what the template takes from it is named down to that part, with its line."""
    faults = fields_at_fault(Renderer(), make_email(text="Hi\n{{ user.name }}"), {"user": {}})
    assert faults == {"$.variables.user.name": "email.text (en), line 2: `user.name` is undefined"}


def test_fault_inside_a_loop_names_the_field(make_email: Make) -> None:
    """A loop's own name is no variable, so the fault points at the field."""
    template = make_email(text="{% for item in items %}{{ item.price }}{% endfor %}")
    faults = fields_at_fault(Renderer(), template, {"items": [{}]})
    assert list(faults) == ["$.content.en.email.text"]


def test_faults_of_all_fields_are_named(make_email: Make) -> None:
    """A value that does not fit is reported for each field that it breaks."""
    template = make_email("{{ 1 / n }}", html="{{ 1 / n }}", text="fine")
    faults = fields_at_fault(Renderer(), template, {"n": 0})
    assert list(faults) == ["$.content.en.email.subject", "$.content.en.email.html"]


def test_default_makes_a_variable_optional(make_email: Make) -> None:
    """A name with a default, or tested with `is defined`, may be left out."""
    template = make_email("{{ a|default('x') }}{% if b is defined %}{{ b }}{% endif %}")
    rendered = Renderer().email(template, {})
    assert rendered is not None
    assert rendered.subject == "x"


def test_variable_of_another_locale_is_required(make_template: Make) -> None:
    """What one locale needs, every request needs: it must not fail by its reader's language."""
    template = make_template(
        en=LocalForms(push=PushForm(title="Hi")),
        pt=LocalForms(push=PushForm(title="Oi {{ nick }}")),
    )
    with pytest.raises(RenderError, match="`nick` has no value; used by the push in another locale"):
        Renderer().push(template, {}, ["en"])


@pytest.mark.parametrize(
    ("source", "variables"),
    [
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", {}),
        ("{% for i in items %}{{ big }}{% endfor %}", {"items": list(range(9000)), "big": "x" * 1_000_000}),
        ("{{ 'x' * 2000000 }}", {}),
        ("{{ x * n }}", {"x": "ab", "n": 10**9}),
        ("{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}", {}),
    ],
    ids=["endless work", "endless output", "one long value", "one enormous value", "endless recursion"],
)
def test_limits_hold(make_email: Make, source: str, variables: dict[str, object]) -> None:
    """A template that runs away is stopped with an error, before it costs time or memory."""
    assert list(fields_at_fault(Renderer(), make_email(text=source), variables)) == [
        "$.content.en.email.text"
    ]


@pytest.mark.parametrize(
    "source",
    ["{% include '0.txt' %}", "{% import '0/own.txt' as x %}", "{% extends '../0.txt' %}", "{{ debug() }}"],
)
def test_template_sees_nothing_but_its_variables(make_email: Make, source: str) -> None:
    """Neither another template nor its partials nor the engine's state can be read, by whatever name."""
    renderer = Renderer()
    renderer.email(make_email("first{% include 'own' %}", partials={"own": "secret"}), {})
    with pytest.raises(RenderError):
        renderer.email(make_email(text=source), {})


def test_python_objects_show_no_internals(make_email: Make) -> None:
    """A value's Python attributes cannot be reached."""
    faults = fields_at_fault(Renderer(), make_email(text="{{ n.__class__.__mro__ }}"), {"n": "x"})
    assert list(faults) == ["$.variables.n.__class__"]


def test_template_without_the_channel_renders_nothing(make_email: Make) -> None:
    """A template that has no form for a channel answers None."""
    assert Renderer().push(make_email(), {}) is None


def test_forgotten_forms_are_compiled_again(make_template: Make) -> None:
    """More templates than the renderer keeps are all rendered right, over and over."""
    renderer = Renderer(keep=2)
    templates = [
        make_template(template_id, version, en=LocalForms(push=PushForm(title=f"{template_id}{version}")))
        for template_id in "abc"
        for version in (1, 2)
    ]
    titles = [push.title for _ in range(3) for t in templates if (push := renderer.push(t, {}))]
    assert titles == ["a1", "a2", "b1", "b2", "c1", "c2"] * 3
