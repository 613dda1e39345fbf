import pytest

from templates.compiling import compiled
from tidings.contracts.codes import Channel
from tidings.contracts.templates import CompiledTemplate, Rendered, RenderedEmail, RenderedPush
from tidings.templates.compiling import render_warnings

LINK = "{{ unsubscribe_url }}"


def warnings(
    template: CompiledTemplate, variables: dict[str, object] | None = None, *, required: bool = False
) -> dict[str, str]:
    result = Rendered(
        template_id="t", version=1, locales={Channel.EMAIL: "en"}, email=RenderedEmail(subject="s")
    )
    found = render_warnings(template, result, variables or {}, required_category=required)
    return {warning.field: warning.code for warning in found}


def test_good_template_has_no_warnings() -> None:
    """Both forms, a way out in each, and every variable used: nothing to say."""
    template = compiled(html=f"<p>{LINK}{{{{ a }}}}</p>", text="{{ preferences_url }}")
    assert warnings(template, {"a": 1}) == {}


def test_variables_without_use_are_named() -> None:
    """A value that no form and no partial uses is named, and so is one that the platform provides itself."""
    template = compiled({"m": "{{ b }}"}, text=f"{LINK}{{{{ a }}}}{{% import 'm' as m %}}")
    assert warnings(template, {"a": 1, "b": 1, "c": 1, "unsubscribe_url": "x"}) == {
        "$.variables.c": "unused_variable",
        "$.variables.unsubscribe_url": "unused_variable",
    }


def test_text_that_was_made_is_told() -> None:
    """An author who gave no text form is told that one was made."""
    assert warnings(compiled(html=LINK)) == {"$.content.en.email.text": "missing_text"}


def test_email_without_a_way_out_is_told() -> None:
    """Each form of an email that a recipient may switch off needs a link; required ones need none."""
    template = compiled(html="<p>x</p>", text="x")
    assert warnings(template) == {
        "$.content.en.email.html": "missing_unsubscribe_link",
        "$.content.en.email.text": "missing_unsubscribe_link",
    }
    assert warnings(template, required=True) == {}


@pytest.mark.parametrize(("size", "told"), [(102_400, False), (102_401, True)])
def test_html_that_gmail_clips_is_told(size: int, told: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The limit is counted in bytes of the rendered html."""
    email = RenderedEmail(subject="s", html="é" * (size // 2) + "x" * (size % 2))
    result = Rendered(template_id="t", version=1, locales={Channel.EMAIL: "en"}, email=email)
    found = render_warnings(compiled(text=LINK), result, {}, required_category=False)
    assert [warning.code for warning in found] == ["html_too_large"] * told


def test_push_that_providers_refuse_is_told() -> None:
    """A push of more than 4,096 bytes as JSON is too large, whatever field makes it so."""
    result = Rendered(
        template_id="t",
        version=1,
        locales={Channel.PUSH: "en"},
        push=RenderedPush(title="t", data={"k": "é" * 2_100}),
    )
    (found,) = render_warnings(compiled(text=LINK), result, {}, required_category=False)
    assert (found.code, found.field) == ("push_too_large", "$.content.en.push")
