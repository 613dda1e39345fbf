import pytest

from tidings.contracts.codes import Channel
from tidings.contracts.http import EmailContent, LocalContent, PushContent
from tidings.rendering import check_source, required_variables


def text(source: str) -> dict[str, LocalContent]:
    return {"en": LocalContent(email=EmailContent(subject="s", text=source))}


def test_broken_source_is_named_by_locale_channel_field_and_line() -> None:
    """Every field that does not compile is reported, with where and why."""
    content = {
        "en": LocalContent(email=EmailContent(subject="{{ name", html="fine")),
        "pt-BR": LocalContent(push=PushContent(title="ok", data={"k": "a\n{% if %}"})),
    }
    assert {fault.path: fault.message for fault in check_source(content)} == {
        "$.content.en.email.subject": (
            "email.subject (en), line 1: unexpected end of input, expected end of variable block"
        ),
        "$.content.pt-BR.push.data.k": "push.data.k (pt-BR), line 2: unexpected end of block",
    }


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ name|uper }}", "line 1: filter uper is unknown"),
        ("{{ name is shouted }}", "line 1: test shouted is unknown"),
        ("{{ link() }}", "line 1: link is unknown"),
        ("{% include 'footer' %}", "line 1: a template cannot include, import or extend another"),
        ("nul\0", "it holds a NUL character, which cannot be stored"),
        ("\ud800", "it holds half of a surrogate pair"),
        ("{{ " + "(" * 500 + "1" + ")" * 500 + " }}", "line 1: template exceeds maximum recursion limits"),
    ],
)
def test_source_that_can_never_work_is_refused(source: str, words: str) -> None:
    """What no variable could put right is found before the template is stored."""
    assert [fault.message for fault in check_source(text(source))] == [f"email.text (en), {words}"]


@pytest.mark.parametrize(
    "source",
    [
        "plain",
        "{{ a.b.c|upper }} {{ a + 1 }} {% for x in xs %}{{ x.y }}{% endfor %}",
        "{% set total = namespace(n=0) %}{{ range(3)|list }}{{ total.n }}",
        "{{ name.upper() }}",
        "{% raw %}{{ anything | goes }}{% endraw %}",
    ],
)
def test_source_that_may_work_is_accepted(source: str) -> None:
    """A template is not refused for the values it does not have yet."""
    assert check_source(text(source)) == []


@pytest.mark.parametrize(
    ("source", "required"),
    [
        ("{{ a.b.c }} {% for x in xs %}{{ x }}{{ loop.index }}{% endfor %}", ["a", "xs"]),
        ("{{ a|default('x') }} {{ b|d }} {% if c is defined %}{{ c }}{% endif %}{{ d }}", ["d"]),
        ("{{ a.b|default('x') }} b|default {{ b }}", ["a", "b"]),
        ("{% set a = 1 %}{{ a }}{{ range(3) }}", []),
        ("{% if premium %}{{ plan }}{% endif %}", ["plan", "premium"]),
    ],
)
def test_required_variables_of_a_source(source: str, required: list[str]) -> None:
    """Names that a source takes from its variables are required, unless it provides for their absence."""
    assert required_variables(text(source)) == {Channel.EMAIL: required}


def test_required_variables_are_those_of_all_locales() -> None:
    """Per channel, what any field in any locale needs is required; a guard counts for its field only."""
    content = {
        "en": LocalContent(email=EmailContent(subject="{{ a }}", text="{{ b|default('') }}")),
        "pt": LocalContent(
            email=EmailContent(subject="{{ b }}", text="x"), push=PushContent(title="{{ c }}")
        ),
    }
    assert required_variables(content) == {Channel.EMAIL: ["a", "b"], Channel.PUSH: ["c"]}
