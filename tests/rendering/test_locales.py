import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.contracts.codes import Channel
from tidings.contracts.templates import CompiledTemplate, EmailForm, LocalForms, PushForm
from tidings.rendering import pick_locale

EMAIL = EmailForm(subject="s", text="t")
BOTH = LocalForms(email=EMAIL, push=PushForm(title="t"))
FORMS = {
    "en": BOTH,
    "pt": BOTH,
    "pt-PT": BOTH,
    "zh-Hant": BOTH,
    "fr": LocalForms(email=EMAIL),
}


def template(default_locale: str = "en") -> CompiledTemplate:
    return CompiledTemplate(
        id="t", version=1, default_locale=default_locale, category="c", variables={}, forms=FORMS
    )


@pytest.mark.parametrize(
    ("wanted", "picked"),
    [
        (["pt-PT"], "pt-PT"),
        (["pt-BR"], "pt"),
        (["PT-br"], "pt"),
        (["zh-Hant-TW"], "zh-Hant"),
        (["zh"], "en"),
        (["de-AT", "pt-BR"], "pt"),
        ([None, "", "zh-Hant"], "zh-Hant"),
        (["fr"], "en"),
        ([], "en"),
    ],
)
def test_nearest_locale_is_picked(wanted: list[str | None], picked: str) -> None:
    """A wanted locale gives way to its parents, to the next, to the default; it must have the channel."""
    assert pick_locale(template(), Channel.PUSH, wanted) == picked


def test_no_locale_is_picked_where_even_the_default_lacks_the_channel() -> None:
    """A template whose default locale says nothing on a channel has no locale to fall back to."""
    assert pick_locale(template("fr"), Channel.PUSH, ["de"]) is None


locale_tags = st.lists(
    st.sampled_from(["pt", "PT", "BR", "pt-PT", "zh", "Hant", "TW", "de", "fr", "x-1", ""]), max_size=4
).map("-".join)


@given(wanted=st.lists(st.none() | locale_tags))
def test_picked_locale_always_has_the_channel(wanted: list[str | None]) -> None:
    """Whatever is wanted, the answer is a locale that there is, and never a more special one than wanted."""
    picked = pick_locale(template(), Channel.PUSH, wanted)
    assert picked is not None
    assert FORMS[picked].push is not None
    asked = [tag.lower() for tag in wanted if tag]
    assert picked == "en" or any(
        tag == picked.lower() or tag.startswith(f"{picked.lower()}-") for tag in asked
    )
