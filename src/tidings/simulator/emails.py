"""Emails as they arrived, and their reading on demand."""

import re
from collections.abc import Iterator
from datetime import datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser

import msgspec
from msgspec import UNSET, UnsetType

_FOLD = re.compile(r"\r?\n(?=[ \t])")


class StoredEmail(msgspec.Struct, frozen=True, gc=False):
    """One email as SMTP delivered it. `sender` and `recipients` are the envelope's, not the headers'."""

    received_at: datetime
    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    def went_to(self, address: str) -> bool:
        """Whether `address` is an envelope recipient, in whatever case."""
        wanted = address.casefold()
        return any(recipient.casefold() == wanted for recipient in self.recipients)


class Header(msgspec.Struct, frozen=True):
    """One header field, decoded."""

    name: str
    value: str


class ReceivedEmail(msgspec.Struct, frozen=True, kw_only=True):
    """An email, read.

    `from` is the header's, `return_path` and `to` are the envelope's, `size` counts bytes.
    `text` and `html` are the first parts of their kind, null when there is none.
    """

    id: int
    received_at: datetime
    sender: str = msgspec.field(name="from")
    to: tuple[str, ...]
    subject: str
    message_id: str | None
    return_path: str
    size: int
    text: str | UnsetType | None = UNSET
    html: str | UnsetType | None = UNSET
    headers: list[Header] | UnsetType = UNSET


def summarise(email_id: int, stored: StoredEmail) -> ReceivedEmail:
    """Read the headers only: several times cheaper than `read`."""
    return _received(email_id, stored, headers_of(stored))


def read(email_id: int, stored: StoredEmail, *, with_headers: bool = False) -> ReceivedEmail:
    """Read headers and bodies. Nothing a sender can put into a message makes this raise."""
    message = message_from_bytes(stored.raw)
    headers = list(_headers(message))
    return msgspec.structs.replace(
        _received(email_id, stored, headers),
        text=_body(message, "text/plain"),
        html=_body(message, "text/html"),
        headers=headers if with_headers else UNSET,
    )


def headers_of(stored: StoredEmail) -> list[Header]:
    """Every header field in order."""
    return list(_headers(BytesHeaderParser().parsebytes(stored.raw)))


def _received(email_id: int, stored: StoredEmail, headers: list[Header]) -> ReceivedEmail:
    first = {header.name.lower(): header.value for header in reversed(headers)}
    return ReceivedEmail(
        id=email_id,
        received_at=stored.received_at,
        sender=first.get("from", stored.sender),
        to=stored.recipients,
        subject=first.get("subject", ""),
        message_id=first.get("message-id"),
        return_path=stored.sender,
        size=len(stored.raw),
    )


def _headers(message: Message) -> Iterator[Header]:
    for name, value in message.raw_items():
        yield Header(name, _decode(str(value)))


def _decode(value: str) -> str:
    # SMTPUTF8 headers are plain UTF-8, which the parser hands over as surrogates.
    plain = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    unfolded = _FOLD.sub("", plain).strip()
    try:
        return str(make_header(decode_header(unfolded)))
    except (HeaderParseError, LookupError, ValueError):
        return unfolded


def _body(message: Message, kind: str) -> str | None:
    for part in message.walk():
        if part.get_content_type() == kind and part.get_content_disposition() != "attachment":
            return _content(part)
    return None


def _content(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        return payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")
