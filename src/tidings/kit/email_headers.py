"""What may stand in an email beside its words: addresses, custom headers, and what names a file.

The gateway asks before it accepts and the MIME builder before it writes, so that both say the same.
Line breaks and other control characters are refused everywhere: no value can start a header of its own.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import idna

MAX_ADDRESS_BYTES: Final = 254
"""RFC 5321, section 4.5.3.1.3: a path of 256 octets with its angle brackets."""
MAX_HEADERS: Final = 50
MAX_VALUE_CHARS: Final = 2_000
MAX_WORD_CHARS: Final = 900
"""A line of an email holds 998 characters (RFC 5322, section 2.1.1), and is folded at spaces only."""
MAX_FILENAME_CHARS: Final = 255

CONTROLS: Final = "\x00-\x1f\x7f-\x9f\u2028\u2029"
"""What no header may hold, as the inside of a character class: C0, C1, and Unicode's own line breaks."""

_CONTROL = re.compile(f"[{CONTROLS}]")
_LOCAL_PART = re.compile(
    rf'[^{CONTROLS}\x20"(),:;<>@\[\\\]\xa0\ufeff]+|"(?:[^{CONTROLS}"\\]|\\[^{CONTROLS}])*"'
)
_DOMAIN = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[A-Za-z0-9.:]+\]")
_CUSTOM_NAME = re.compile(r"x-[a-z0-9][a-z0-9_-]{0,73}")
_TOKEN = r"[A-Za-z0-9!#$&^_.+-]{1,127}"  # noqa: S105 - a token of RFC 6838, section 4.2
_CONTENT_TYPE = re.compile(
    rf"(?!multipart/|message/){_TOKEN}/{_TOKEN}"
    rf'(?:; ?{_TOKEN}=(?:{_TOKEN}|"[ !#-:<-\[\]-~]{{0,200}}")){{0,5}}',
    re.IGNORECASE,
)
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,200}(?:@[A-Za-z0-9.-]{1,200})?")

# For programs: ASCII, and never as encoded words.
_STRUCTURED = frozenset(
    {
        "archived-at",
        "auto-submitted",
        "feedback-id",
        "importance",
        "in-reply-to",
        "list-archive",
        "list-help",
        "list-id",
        "list-owner",
        "list-post",
        "list-subscribe",
        "precedence",
        "priority",
        "references",
        "sensitivity",
        "thread-index",
    }
)
_FOR_PEOPLE = frozenset({"comments", "keywords", "organization", "thread-topic"})
# With these a relay is told what to do (add recipients, change the sender, skip filters), or they are
# what mail servers themselves write.
_RESERVED = (
    "x-amz",
    "x-authentic",
    "x-envelope",
    "x-forwarded",
    "x-google",
    "x-mailgun",
    "x-mailin",
    "x-mc-",
    "x-mj-",
    "x-ms-exchange",
    "x-msys",
    "x-original",
    "x-pm-",
    "x-received",
    "x-sender",
    "x-ses-",
    "x-sg-",
    "x-sib-",
    "x-smtp",
    "x-spam",
    "x-tidings",
)


class UnusableAddress(UnicodeError):
    """No email can be sent to it as it is written; mostly, its domain has no ASCII form (RFC 5891)."""


def ascii_address(address: str) -> str:
    """The address with its domain in ASCII (RFC 5891), so that only a local part may need SMTPUTF8.

    Raises:
        UnusableAddress: it has no @, is too long, or holds what could end an address or a header.
    """
    local, _, domain = address.rpartition("@")
    if not _LOCAL_PART.fullmatch(local):
        raise UnusableAddress(
            "What stands before the @ of the address is missing, or no local part (RFC 5322)"
        )
    written = f"{local}@{_ascii_domain(domain)}"
    if len(written.encode(errors="replace")) > MAX_ADDRESS_BYTES:
        raise UnusableAddress(f"The address is longer than {MAX_ADDRESS_BYTES} bytes (RFC 5321)")
    return written


def check_address(address: str) -> None:
    """Whether an email can go there, by its form alone.

    Raises:
        UnusableAddress: with words for the caller.
    """
    ascii_address(address)


def allowed_header(name: str) -> bool:
    """Whether a caller may set this header: `X-...` and a few more, never what we or a relay act on."""
    known = name.lower()
    # The Kelvin sign becomes a k in lower case.
    return name.isascii() and (known in _STRUCTURED or known in _FOR_PEOPLE or _is_custom(known))


def is_structured(name: str) -> bool:
    """Whether programs read this header, so that it is written as it stands."""
    return name.lower() in _STRUCTURED


def check_header(name: str, value: str) -> None:
    """Whether a caller may set this header to this value.

    Raises:
        ValueError: with words for the caller.
    """
    if not allowed_header(name):
        raise ValueError(
            f"{name[:80]!r} cannot be set. Allowed are X-... (but for those that mail servers act on) and: "
            + ", ".join(sorted(_STRUCTURED | _FOR_PEOPLE))
        )
    if _CONTROL.search(value):
        raise ValueError("A header's value is one line, without control characters")
    if not value.strip() or len(value) > MAX_VALUE_CHARS:
        raise ValueError(f"A header's value has 1 to {MAX_VALUE_CHARS} characters")
    if is_structured(name) and not value.isascii():
        raise ValueError(f"The value of {name} is for programs, and of ASCII only")
    if value.isascii() and max(map(len, value.split())) > MAX_WORD_CHARS:
        raise ValueError(
            f"A header can be folded at spaces only: no word has over {MAX_WORD_CHARS} characters"
        )


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Which of the headers cannot be set, and why, in words for the caller; empty when all is well."""
    faults: dict[str, str] = {}
    seen: set[str] = set()
    for number, (name, value) in enumerate(headers.items()):
        try:
            check_header(name, value)
        except ValueError as error:
            faults[name] = str(error)
        if name.lower() in seen:
            faults[name] = "The same header is there twice: upper and lower case make no difference"
        if number >= MAX_HEADERS:
            faults[name] = f"There are more than {MAX_HEADERS} headers"
        seen.add(name.lower())
    return faults


def check_filename(filename: str) -> None:
    """Whether a file can go by this name; any script is fine.

    Raises:
        ValueError: with words for the caller.
    """
    if not filename.strip() or len(filename) > MAX_FILENAME_CHARS:
        raise ValueError(f"A file's name has 1 to {MAX_FILENAME_CHARS} characters")
    if _CONTROL.search(filename):
        raise ValueError("A file's name has no line breaks or other control characters")


def check_content_type(content_type: str) -> None:
    """Whether it is a media type that a file can have, with its parameters (RFC 2045, section 5.1).

    Raises:
        ValueError: with words for the caller.
    """
    if not _CONTENT_TYPE.fullmatch(content_type):
        raise ValueError(
            "A content type reads like application/pdf or text/calendar; method=REQUEST, "
            "and is not of the kinds multipart or message"
        )


def check_content_id(content_id: str) -> None:
    """Whether html can show a file by it, as `cid:...` (RFC 2392). It has no angle brackets.

    Raises:
        ValueError: with words for the caller.
    """
    if not _CONTENT_ID.fullmatch(content_id):
        raise ValueError("A content id is of ASCII letters, digits and . _ - like logo or logo@example.com")


def _is_custom(known: str) -> bool:
    return _CUSTOM_NAME.fullmatch(known) is not None and not known.startswith(_RESERVED)


@lru_cache(maxsize=4_096)
def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        written = domain
    else:
        try:
            written = idna.encode(domain, uts46=True).decode()
        except idna.IDNAError as error:
            raise UnusableAddress(
                f"The domain of the address has no ASCII form (RFC 5891): {error}"
            ) from error
    if not _DOMAIN.fullmatch(written):
        raise UnusableAddress("What stands after the @ of the address is no domain")
    return written
