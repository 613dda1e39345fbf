from collections.abc import Callable
from contextlib import suppress
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from tidings.contracts.templates import CompiledTemplate, LocalContent, PushContent
from tidings.rendering import Renderer, RenderError, check_source

Make = Callable[..., CompiledTemplate]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
NAMES = st.sampled_from(["name", "items", "user", "self", "loop"]) | st.text()
TAGS = ["{{", "}}", "{% if ", "{% for x in ", "{% endif %}", "{% endfor %}", " %}", "{{ a }}", "{{ b.c }}"]
PARTS = ["a", "b.c", "x", "[0]", "(", ")", " + ", " ~ ", "1", "'s'", "|upper", "|sort", "|default(1)", "\n"]
SOURCES = st.lists(st.sampled_from([*TAGS, *PARTS]), max_size=12).map("".join)
renderer = Renderer()


@given(value=st.text())
def test_html_is_escaped_and_nothing_else_is(make_email: Make, value: str) -> None:
    """No value can open a tag, close an attribute or start an entity; unescaping gives it back."""
    rendered = renderer.email(make_email(html="{{ v }}", text="{{ v }}"), {"v": value})
    assert rendered is not None
    assert rendered.html is not None
    assert not set(rendered.html) & set("<>\"'")
    assert rendered.text == value
    assert unescape(rendered.html) == value


@given(value=JSON)
def test_subject_is_always_one_line(make_email: Make, value: object) -> None:
    """Whatever the value, the subject has no line break and no control character."""
    rendered = renderer.email(make_email("Hello {{ v }}, {{ v }}", text="t"), {"v": value})
    assert rendered is not None
    assert len(rendered.subject.splitlines()) == 1
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in rendered.subject)


@given(variables=st.dictionaries(NAMES, JSON))
def test_variables_never_break_more_than_the_render(make_email: Make, variables: dict[str, object]) -> None:
    """Any JSON for variables renders or raises RenderError."""
    template = make_email(
        "{{ name|upper }}",
        html="{% for i in items %}{{ i.a }}{% if i > 3 %}{{ loop.index }}{% endif %}{% endfor %}",
        text="{{ user.name|default('you') }} {{ items|length }} {{ name ~ user }} {{ user|tojson }}",
    )
    with suppress(RenderError):
        renderer.email(template, variables)


@given(source=SOURCES, value=JSON)
def test_checked_sources_never_break_more_than_the_render(
    make_push: Make, source: str, value: object
) -> None:
    """Any source is refused by the check, or it renders or raises RenderError."""
    if check_source({"en": LocalContent(push=PushContent(title="x", body=source))}):
        return
    with suppress(RenderError):
        renderer.push(make_push("x", body=source), {"a": value, "b": value})
