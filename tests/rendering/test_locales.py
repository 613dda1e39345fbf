import pytest

from tidings.contracts.codes import Channel
from tidings.contracts.http import EmailContent, LocalContent, PushContent
from tidings.rendering import pick_locale

EMAIL = EmailContent(subject="s", text="t")
BOTH = LocalContent(email=EMAIL, push=PushContent(title="t"))
CONTENT = {
    "en": BOTH,
    "pt": BOTH,
    "pt-PT": BOTH,
    "zh-Hant": BOTH,
    "fr": LocalContent(email=EMAIL),
}


@pytest.mark.parametrize(
    ("wanted", "picked"),
    [
        (["pt-PT", "en"], "pt-PT"),
        (["pt-BR", "en"], "pt"),
        (["PT-br", "en"], "pt"),
        (["zh-Hant-TW", "en"], "zh-Hant"),
        (["zh", "en"], "en"),
        (["de-AT", "pt-BR", "en"], "pt"),
        ([None, "", "en"], "en"),
        (["fr", "en"], "en"),
        (["de"], None),
        ([], None),
    ],
)
def test_nearest_locale_is_picked(wanted: list[str | None], picked: str | None) -> None:
    """A wanted locale gives way to its parents, then to the next one; it must have the channel."""
    assert pick_locale(CONTENT, Channel.PUSH, wanted) == picked
