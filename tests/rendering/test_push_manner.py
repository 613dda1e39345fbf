from collections.abc import Callable

import pytest

from tidings.contracts.templates import CompiledTemplate, StoredManner
from tidings.rendering import Renderer, RenderError

Make = Callable[..., CompiledTemplate]


def test_badge_and_collapse_key_are_filled_in(make_push: Make) -> None:
    """A badge becomes a number and a collapse key a text, from the variables."""
    push = Renderer().push(
        make_push(badge="{{ unread }}", collapse_key="order-{{ order }}"), {"unread": 3, "order": 7}
    )
    assert push is not None
    assert (push.badge, push.collapse_key) == (3, "order-7")


def test_empty_badge_and_collapse_key_are_left_out(make_push: Make) -> None:
    """What renders to nothing sets no badge, and collapses with nothing."""
    template = make_push(badge="{% if unread %}{{ unread }}{% endif %}", collapse_key=" ")
    push = Renderer().push(template, {"unread": 0})
    assert push is not None
    assert (push.badge, push.collapse_key) == (None, None)


@pytest.mark.parametrize("value", ["many", "-1", "1.5", "1" * 30, "٣"])
def test_badge_that_is_no_number_is_refused(make_push: Make, value: str) -> None:
    """A badge that is no whole number is a fault of its field, not of the device."""
    with pytest.raises(RenderError, match=r"push\.badge \(en\) is no whole number"):
        Renderer().push(make_push(badge="{{ unread }}"), {"unread": value})


def test_manner_is_handed_on(make_push: Make) -> None:
    """How a push behaves is the same for every recipient."""
    manner = StoredManner(sound="default", urgency="high", silent=True, shorten=True)
    push = Renderer().push(make_push(manner=manner), {})
    assert push is not None
    assert push.manner == manner
