from collections.abc import Callable

from tidings.contracts.templates import CompiledTemplate
from tidings.rendering import Renderer

Make = Callable[..., CompiledTemplate]


def test_provided_variables_are_filled_in(make_email: Make) -> None:
    """The platform's links reach the template although the caller did not give them."""
    rendered = Renderer().email(
        make_email(text="{{ unsubscribe_url }}"), {}, extra={"unsubscribe_url": "https://x.example/u"}
    )
    assert rendered is not None
    assert rendered.text == "https://x.example/u"


def test_callers_cannot_override_what_is_provided(make_email: Make) -> None:
    """A caller's value for a name that the platform provides is never used, provided or not."""
    template = make_email(text="{{ unsubscribe_url }}|{{ preferences_url }}")
    evil = {"unsubscribe_url": "evil", "preferences_url": "evil"}
    rendered = Renderer().email(template, evil, extra={"unsubscribe_url": "good"})
    assert rendered is not None
    assert rendered.text == "good|"


def test_template_can_ask_whether_a_link_is_provided(make_email: Make) -> None:
    """Where a link is not provided, it is null, and an `if` leaves its line out."""
    template = make_email(text="Hi{% if unsubscribe_url %} {{ unsubscribe_url }}{% endif %}")
    rendered = Renderer().email(template, {})
    assert rendered is not None
    assert rendered.text == "Hi"
