"""Emails as they arrived, and their reading on demand."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

_FOLD = re.compile(r"\r?\n(?=[ \t])")


MailProvider = Literal["smtp", "sendgrid", "ses", "postmark", "mailgun", "resend"]


class StoredEmail(msgspec.Struct, frozen=True, gc=False):
    """One email as it arrived. `sender` and `recipients` are the envelope's, not the headers'.

    `provider` is the way it came. The others are an HTTP API's: its id for the message (`reference`),
    the sender's own data that it hands back in events, and the labels it groups messages by.
    """

    received_at: datetime
    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    provider: MailProvider = "smtp"
    reference: str | None = None
    custom: Mapping[str, str] = {}
    tags: tuple[str, ...] = ()

    def went_to(self, address: str) -> bool:
        """Whether `address` is an envelope recipient, in whatever case."""
        wanted = address.casefold()
        return any(recipient.casefold() == wanted for recipient in self.recipients)


class Header(msgspec.Struct, frozen=True):
    """One header field, decoded."""

    name: str
    value: str


class ReceivedFile(msgspec.Struct, frozen=True, kw_only=True):
    """An attachment, without its content; `content_id` is what the HTML shows it by. `size` counts bytes."""

    filename: str | None
    content_type: str
    content_id: str | None
    size: int
    sha256: str


class ReceivedEmail(msgspec.Struct, frozen=True, kw_only=True):
    """An email, read.

    `from` is the header's, `return_path` and `to` are the envelope's, `size` counts bytes.
    `text` and `html` are the first parts of their kind, null when there is none. `provider` is the way
    it came; an HTTP API also has its own id for it (`reference`), the sender's `custom` data, and `tags`.
    """

    id: int
    received_at: datetime
    sender: str = msgspec.field(name="from")
    to: tuple[str, ...]
    subject: str
    message_id: str | None
    return_path: str
    size: int
    provider: MailProvider
    reference: str | None
    custom: Mapping[str, str]
    tags: tuple[str, ...]
    text: str | UnsetType | None = UNSET
    html: str | UnsetType | None = UNSET
    attachments: list[ReceivedFile] | UnsetType = UNSET
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
        attachments=list(_files(message)),
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
        provider=stored.provider,
        reference=stored.reference,
        custom=stored.custom,
        tags=stored.tags,
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


def _files(message: Message) -> Iterator[ReceivedFile]:
    for part in message.walk():
        inline_image = part.get("Content-ID") is not None and part.get_content_maintype() != "multipart"
        if part.get_content_disposition() != "attachment" and not inline_image:
            continue
        payload = part.get_payload(decode=True)
        content = payload if isinstance(payload, bytes) else b""
        yield ReceivedFile(
            filename=_filename(part),
            content_type=part.get_content_type(),
            content_id=str(part["Content-ID"]).strip(" <>") if part["Content-ID"] else None,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )


def _filename(part: Message) -> str | None:
    try:
        name = part.get_filename()
    except (LookupError, TypeError, ValueError):
        return None
    return None if name is None else _decode(name)


def _content(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        return payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")
