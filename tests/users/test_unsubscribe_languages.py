"""The recipient's pages in the recipient's language."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.servers import SERVICE_SECRET
from tidings.client.links import preferences_path, unsubscribe_path
from tidings.users.unsubscribe.words import language_for
from users.pages import page_of

AddUser = Callable[..., Awaitable[str]]


@pytest.mark.parametrize(
    ("locale", "accept", "expected"),
    [
        ("de", "fr", ("de", "ltr")),
        ("pt-BR", "", ("pt", "ltr")),
        ("ar-EG", "en", ("ar", "rtl")),
        (None, "es-MX,es;q=0.9,en;q=0.8", ("es", "ltr")),
        (None, "en;q=0.1, fr;q=0.9, de;q=0", ("fr", "ltr")),
        ("is", "fr", ("fr", "ltr")),
        ("is", "is, *", ("en", "ltr")),
        (None, "", ("en", "ltr")),
    ],
)
async def test_the_page_speaks_the_persons_language(
    users: httpx.AsyncClient, add_user: AddUser, locale: str | None, accept: str, expected: tuple[str, str]
) -> None:
    """The person's own language, else the browser's, else English, written in its own direction."""
    user_id = UUID(await add_user(locale=locale))
    headers = {"Accept-Language": accept}
    for path in (
        unsubscribe_path(SERVICE_SECRET, user_id, "marketing"),
        preferences_path(SERVICE_SECRET, user_id),
    ):
        answer = await users.get(path, headers=headers)
        page = page_of(answer)
        assert (page.language, page.direction) == expected
        assert answer.headers["content-language"] == expected[0]


async def test_a_broken_link_speaks_the_browsers_language(users: httpx.AsyncClient) -> None:
    """Where there is no person to ask, the browser says which language."""
    page = page_of(await users.get("/unsubscribe/x", headers={"Accept-Language": "de-AT"}))
    assert page.language == "de"
    assert "Dieser Link funktioniert nicht" in page.words


@given(locale=st.none() | st.text(), accept=st.text() | st.lists(st.text()).map(",".join))
def test_any_header_finds_a_language(locale: str | None, accept: str) -> None:
    """Whatever a browser or a stored locale says, there is a page to read."""
    assert language_for(locale, accept).words.unsubscribe


@given(weights=st.lists(st.floats(0.001, 1), min_size=5, max_size=5, unique=True))
def test_the_best_weight_wins(weights: list[float]) -> None:
    """Of several languages there are words in, the one the browser weighs highest is shown."""
    weighed = dict(zip(["ar", "de", "es", "fr", "pt"], weights, strict=True))
    header = ", ".join(f"{tag};q={weight}" for tag, weight in weighed.items())
    assert language_for(None, header).tag == max(weighed, key=lambda tag: weighed[tag])
