"""The words of the recipient's pages, one file a language, and which of them a recipient reads."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec
from babel import Locale, negotiate_locale

DEFAULT = "en"
MAX_ACCEPTED = 20
"""How many languages of `Accept-Language` are looked at; browsers send fewer than ten."""


class Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that the pages say. A language file that lacks one of these does not load."""

    unsubscribe: str
    preferences: str
    to_preferences: str
    stop_category: str
    stop_email: str
    category_explained: str
    email_explained: str
    stopped: str
    category_stopped: str
    email_stopped: str
    always_sent: str
    always_sent_explained: str
    channels: str
    email: str
    push: str
    categories: str
    always_on: str
    save: str
    saved: str
    gone: str
    gone_explained: str
    broken: str
    broken_explained: str
    failed: str
    failed_explained: str


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """A language that there are words in, and the direction it is written in."""

    tag: str
    direction: Literal["ltr", "rtl"]
    words: Words


def language_for(locale: str | None, accept_language: str) -> Language:
    """The person's own language, or else the first that the browser asks for and there are words in.

    `pt-BR` reads `pt`. Where nothing fits it is English.
    """
    wanted = [*([locale] if locale else []), *_by_preference(accept_language)]
    languages = _languages()
    chosen = negotiate_locale(wanted, list(languages), sep="-")
    return languages[chosen or DEFAULT]


def _by_preference(accept_language: str) -> list[str]:
    """The languages of an `Accept-Language` header (RFC 9110, section 12.5.4), best first."""
    weighed = [item.partition(";") for item in accept_language.split(",")[:MAX_ACCEPTED]]
    named = [(tag.strip(), _weight(parameter)) for tag, _, parameter in weighed if tag.strip()]
    return [tag for tag, weight in sorted(named, key=lambda pair: -pair[1]) if weight > 0]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return float(value) if name == "q" else 1.0
    except ValueError:
        return 0.0


@cache
def _languages() -> Mapping[str, Language]:
    found = [entry for entry in files(__name__).iterdir() if entry.name.endswith(".toml")]
    return {
        tag: Language(
            tag=tag,
            direction="rtl" if Locale.parse(tag).text_direction == "rtl" else "ltr",
            words=msgspec.toml.decode(entry.read_bytes(), type=Words),
        )
        for entry in found
        for tag in [entry.name.removesuffix(".toml")]
    }
