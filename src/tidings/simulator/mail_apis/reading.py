"""Reading requests: JSON of a given shape, addresses, and files in base64."""

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.utils import getaddresses
from typing import TypeVar

import msgspec

T = TypeVar("T")

HEADER_NAME = re.compile(r"[!-9;-~]{1,126}")
_ADDRESS = re.compile(
    r'([^\s@<>,;:"\\()\[\]\x00-\x1f\x7f]+|"[^"\\\x00-\x1f\x7f]+")@[^\s@<>,;:"\\()\[\]\x00-\x1f\x7f]+'
)
_INDEX = re.compile(r"\[(\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`")


class Unreadable(Exception):
    """The body is no JSON."""


class Misshapen(Exception):
    """The JSON has a field of the wrong type, or one that is not known.

    `path` is dotted, such as `personalizations.0.to`, and empty for the whole; `unknown` is the name of
    the field that is not known.
    """

    def __init__(self, path: str, words: str, unknown: str | None) -> None:
        super().__init__(f"{path}: {words}")
        self.path = path
        self.words = words
        self.unknown = unknown


def read_json(body: bytes, shape: type[T]) -> T:
    """The body as a value of `shape`.

    Raises:
        Unreadable: the body is no JSON.
        Misshapen: it is, of another shape.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        words, _, place = str(error).partition(" - at ")
        path = _INDEX.sub(r".\1", place.strip("`")).removeprefix("$").strip(".")
        unknown = _UNKNOWN.fullmatch(words)
        raise Misshapen(path, words, unknown[1] if unknown else None) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable from error


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address with the name shown beside it, which may be empty."""

    address: str
    name: str = ""


def is_address(text: str) -> bool:
    """Whether `text` can be the address of a mailbox, in any script."""
    return len(text) <= 320 and _ADDRESS.fullmatch(text) is not None  # noqa: PLR2004 - RFC 5321, 4.5.3.1


def read_mailboxes(text: str) -> list[Mailbox]:
    """The mailboxes of an RFC 5322 list, encoded words decoded.

    Raises:
        ValueError: one of them is no mailbox.
    """
    if "\r" in text or "\n" in text:
        raise ValueError(text)
    found = [Mailbox(address, decoded(name)) for name, address in getaddresses([text])]
    if not found or not all(is_address(mailbox.address) for mailbox in found):
        raise ValueError(text)
    return found


def decoded(text: str) -> str:
    """Encoded words (RFC 2047) as text."""
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return text


def read_base64(text: str) -> bytes:
    """The bytes, with line breaks allowed between.

    Raises:
        ValueError: `text` is not base64.
    """
    try:
        return b64decode(re.sub(r"\s", "", text), validate=True)
    except binascii.Error as error:
        raise ValueError(text[:40]) from error
