"""Tokens that say something, and that nobody else can make."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.kit.signed_links import InvalidLink, read, sign

SECRET = "a secret of the present, long enough"
OLD_SECRET = "a secret of the past, also long enough"

CLAIMS = st.dictionaries(st.text(), st.text(), max_size=5)
TOKEN = sign(SECRET, "test", {"user": "ada", "category": "news"})


@given(claims=CLAIMS, secret=st.text(), purpose=st.text())
def test_what_was_signed_is_read(claims: dict[str, str], secret: str, purpose: str) -> None:
    """Whatever the claims, they come back, out of a token that needs no escaping in a URL."""
    token = sign(secret, purpose, claims)
    assert read([secret], purpose, token) == claims
    assert token.replace("-", "").replace("_", "").isalnum()
    assert token.isascii()


@given(position=st.integers(0, len(TOKEN) - 1), character=st.characters())
def test_a_changed_character_is_noticed(position: int, character: str) -> None:
    """No character can be another one, not even where base64 has bits to spare."""
    changed = TOKEN[:position] + character + TOKEN[position + 1 :]
    if changed != TOKEN:
        with pytest.raises(InvalidLink):
            read([SECRET], "test", changed)


@given(forged=st.text() | st.binary().map(lambda raw: urlsafe_b64encode(raw).decode()))
def test_anything_else_is_refused(forged: str) -> None:
    """What we did not sign is refused in one way, whatever it is."""
    with pytest.raises(InvalidLink):
        read([SECRET], "test", forged)


@pytest.mark.parametrize("changed", [f"{TOKEN}A", f"{TOKEN}=", f" {TOKEN}", TOKEN[:-1], "", f"{TOKEN}\n"])
def test_a_token_has_one_spelling(changed: str) -> None:
    """Nothing may be added or left out, even what a decoder would pass over."""
    with pytest.raises(InvalidLink):
        read([SECRET], "test", changed)


def test_a_purpose_has_its_own_key() -> None:
    """A token for one purpose is worth nothing for another."""
    with pytest.raises(InvalidLink, match="purpose 'other'"):
        read([SECRET], "other", TOKEN)


def test_a_replaced_secret_is_still_read() -> None:
    """Links outlive the secret that signed them, as long as it is named; afterwards they do not."""
    assert read([OLD_SECRET, SECRET], "test", TOKEN) == {"user": "ada", "category": "news"}
    for secrets in ([OLD_SECRET], []):
        with pytest.raises(InvalidLink):
            read(secrets, "test", TOKEN)


def test_the_secret_is_not_in_the_token() -> None:
    """The claims can be read by anyone; the secret cannot."""
    raw = urlsafe_b64decode(TOKEN + "=" * (-len(TOKEN) % 4))
    assert b"ada" in raw
    assert b"secret" not in raw
