from templates.compiling import compiled, faults, form, rendered
from tidings.contracts.codes import Channel
from tidings.contracts.templates import (
    EmailContent,
    LocalContent,
    PushAction,
    PushContent,
    PushForm,
    StoredAction,
    TemplateContent,
)
from tidings.templates.compiling import Compiled, compile_content


def test_every_form_in_every_locale_is_compiled() -> None:
    """Email and push in each language come out ready to be filled in, with the variables they need."""
    push = PushContent(
        title="{{ a }}",
        body="b",
        image="i",
        link="l",
        actions=[PushAction(id="x", title="{{ b }}", link="m")],
        data={"k": "{{ c }}"},
    )
    source = TemplateContent(
        content={
            "en": LocalContent(email=EmailContent(subject="{{ d }}", text="t"), push=push),
            "pt": LocalContent(email=EmailContent(subject="{{ e }}{{ unsubscribe_url }}", text="t")),
        },
        schema={"type": "object"},
    )
    result = compile_content(source, {})
    assert isinstance(result, Compiled)
    assert result.variables == {Channel.EMAIL: ["d", "e"], Channel.PUSH: ["a", "b", "c"]}
    assert result.forms["en"].push == PushForm(
        title="{{ a }}",
        body="b",
        image="i",
        link="l",
        actions=[StoredAction(id="x", title="{{ b }}", link="m")],
        data={"k": "{{ c }}"},
    )
    template = result.template("welcome", 3, source)
    assert (template.id, template.version, template.schema) == ("welcome", 3, {"type": "object"})
    assert template.forms["pt"].email is not None


def test_every_fault_is_named() -> None:
    """All fields that do not compile are reported at once, by path, with the line in the source."""
    assert faults(subject="{{ a", html="<p>\n{{ a|uper }}", text="\n\n{% include 'absent' %}") == {
        "$.content.en.email.subject": (
            "email.subject (en), line 1: unexpected end of input, expected end of variable block"
        ),
        "$.content.en.email.html": "email.html (en), line 2: filter uper is unknown",
        "$.content.en.email.text": "email.text (en), line 3: there is no partial named absent",
    }


def test_preheader_is_the_first_thing_in_the_body_and_hidden() -> None:
    """The preheader is filled in and escaped, and padding keeps the body's text from following it."""
    template = compiled(html="<html><body class='x'><p>Body</p></body></html>", preheader="Hi & {{ name }}")
    html = rendered(template, {"name": "<Ada>"}).html or ""
    before, _, after = html.partition("Hi &amp; &lt;Ada&gt;")
    assert before.startswith("<html><body class='x'><div style=\"display:none;")
    assert after.startswith("&#847;&zwnj;&nbsp;" * 50)
    assert after.endswith("</div><p>Body</p></body></html>")


def test_preheader_of_a_page_without_body_tags_comes_first() -> None:
    """A fragment gets its preheader at the top, and a page without a body tag after its head."""
    assert (form(html="<p>x", preheader="P").html or "").startswith("<div style=")
    page = form(html="<!doctype html><html><head><title><body></title></head><p>x", preheader="P").html or ""
    assert page.startswith("<!doctype html><html><head><title><body></title></head><div style=")


def test_preheader_does_not_reach_the_text_form() -> None:
    """The text that is made from the html does not begin with the hidden line."""
    assert form(html="<p>x</p>", preheader="P").text == "x\n"


def test_source_of_half_a_megabyte_is_compiled() -> None:
    """The longest html that is taken is compiled whole."""
    html = "<style>p { margin: 0 }</style>" + "<p>{{ a }}</p>" * 10_000
    assert (form(html=html).html or "").count('<p style="margin: 0">') == 10_000


def test_markup_that_never_ends_is_left_alone() -> None:
    """What is opened and never closed costs no more than its length, and is not changed."""
    for opened in ("<!--", "<a ", '<a x="', "<style>", "<title><style>", "<"):
        html = "<style>p { margin: 0 }</style>" + opened * 20_000
        assert form(html=html).html == html


def test_space_in_a_tag_costs_no_more_than_its_length() -> None:
    """A tag that is almost all white space is read once, wherever it stands."""
    space = " " * 100_000
    include = f"{{% include{space}'a'{space}ignore{space}missing{space}%}}"
    source = f"{{%{space}if{space}x{space}%}}{include}{{% endif %}}"
    email = form(html=f"<p{space}>{source}<a href='{source}'{space}=>", text=source)
    assert email.text == source.replace(include, "")
