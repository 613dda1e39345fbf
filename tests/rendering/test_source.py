import pytest

from tidings.contracts.codes import Channel
from tidings.contracts.templates import EmailContent, LocalContent, PushAction, PushContent
from tidings.rendering import check_partial, check_source, required_variables

BOMB = "could fill the memory; have the caller compute the value"


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
        ("{% include 'footer' %}", "line 1: there is no partial named footer"),
        ("{{ 'x' * 1000000 }}", f"line 1: a count or factor above 100,000 {BOMB}"),
        ("\n{{ x|indent(1_000_000) }}", f"line 2: a count or factor above 100,000 {BOMB}"),
        ("{{ 10 ** 9 }}", f"line 1: a power (**) {BOMB}"),
        (
            "{{ '%9999d'|format(1) }}",
            f"line 1: a format width of four or more digits, or from a value {BOMB}",
        ),
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
        "{% if a > 1000000 %}{{ b / 1000000 }}{{ '%.2f'|format(c) }}{{ 'x' * 100 }}{% endif %}",
        "{{ a.when|date }}{{ a.price|currency('EUR') }}",
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


def test_sources_of_buttons_are_checked() -> None:
    """A push's buttons are named by their number."""
    push = PushContent(title="t", actions=[PushAction(id="a", title="{{ a"), PushAction(id="b", title="b")])
    assert [fault.path for fault in check_source({"en": LocalContent(push=push)})] == [
        "$.content.en.push.actions[0].title"
    ]


def test_faults_in_partials_are_named_by_partial_and_line() -> None:
    """A partial that can never work is named in the fault of the field that uses it."""
    partials = {"footer": "\n{% include 'legal' %}", "legal": "{{ name|uper }}", "unused": "{{"}
    assert [fault.message for fault in check_source(text("{% include 'footer' %}"), partials)] == [
        "email.text (en), partial legal, line 1: filter uper is unknown"
    ]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ a", "the partial, line 1: unexpected end of input, expected end of variable block"),
        ("nul\0", "the partial, it holds a NUL character, which cannot be stored"),
        ("{{ 'x' * 999999 }}", f"the partial, line 1: a count or factor above 100,000 {BOMB}"),
    ],
)
def test_partial_that_can_never_work_is_refused(source: str, words: str) -> None:
    """A partial is checked on its own: it must compile and must not be a bomb."""
    assert [(fault.path, fault.message) for fault in check_partial(source)] == [("$.source", words)]


def test_partial_may_use_what_is_stored_after_it() -> None:
    """A partial may include another that is not there yet, and use variables."""
    assert check_partial("{% include 'later' %}{{ name }}") == []


def test_provided_variables_are_not_required() -> None:
    """What the platform provides is not asked of callers."""
    assert required_variables(text("{{ unsubscribe_url }} {{ preferences_url }} {{ a }}")) == {
        Channel.EMAIL: ["a"]
    }


def test_variables_of_partials_are_required_where_one_is_used() -> None:
    """A field that imports a partial needs what the partial needs; other fields do not."""
    content = {
        "en": LocalContent(
            email=EmailContent(subject="s", text="{% import 'm' as m %}"), push=PushContent(title="{{ t }}")
        )
    }
    assert required_variables(content, {"m": "{{ brand }}"}) == {
        Channel.EMAIL: ["brand"],
        Channel.PUSH: ["t"],
    }
