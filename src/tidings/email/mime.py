"""A rendered email as bytes (RFC 5322, MIME).

Written out here rather than with `email.message`, which takes every U+2028 for a line break, refuses
addresses with letters beyond ASCII, and takes many times as long. The tests prove the result against
the standard parser.
"""

import re
from base64 import b64encode, encodebytes
from binascii import b2a_qp
from collections.abc import Iterator
from email.utils import format_datetime, parseaddr
from uuid import UUID

import idna

from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import RenderedEmail

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_LINE_BREAK = re.compile(r"\r\n?|\n")
_PLAIN = re.compile(r"(?!.*=\?)[ -~]{0,60}")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+( [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LINE_CHARS = 65
_WORD_BYTES = 39
"""So that an encoded word and `Subject: ` fit the 76 characters of a line (RFC 2047, section 2)."""


def ascii_address(address: str) -> str:
    """The address with its domain in ASCII (RFC 5891), so that only a local part may need SMTPUTF8.

    Raises:
        UnicodeError: the domain has no ASCII form.
    """
    local, _, domain = address.rpartition("@")
    return address if domain.isascii() else f"{local}@{idna.encode(domain, uts46=True).decode()}"


def message_id(notification_id: UUID, sender: str) -> str:
    """The same on every attempt, so that mailboxes which fold equal ids show a repeated email once."""
    return f"<{notification_id}@{ascii_address(parseaddr(sender)[1]).rpartition('@')[2]}>"


def build_mime(
    message: DeliveryMessage, content: RenderedEmail, *, sender: str, name: str | None, to: str
) -> bytes:
    """The whole email, ready for DATA. Line breaks in names and subjects cannot reach a header.

    All of it is ASCII, unless the local part of `to` is not (RFC 6532).
    """
    sender_name, sender_address = parseaddr(sender)
    headers = (
        f"From: {_mailbox(sender_name, ascii_address(sender_address))}",
        f"To: {_mailbox(name or '', to)}",
        f"Subject: {_unstructured(content.subject)}",
        f"Date: {format_datetime(message.accepted_at)}",
        f"Message-ID: {message_id(message.notification_id, sender)}",
        "MIME-Version: 1.0",
    )
    return "\r\n".join(headers).encode() + b"\r\n" + _body(message.notification_id, content)


def _body(notification_id: UUID, content: RenderedEmail) -> bytes:
    if content.html is None:
        return _part("plain", content.text or "")
    if content.text is None:
        return _part("html", content.html)
    # Neither encoding below can contain `=_`, so no text can contain the boundary.
    boundary = f"=_{notification_id.hex}".encode()
    return b"".join(
        (
            b'Content-Type: multipart/alternative; boundary="%s"\r\n\r\n' % boundary,
            b"--%s\r\n%s\r\n" % (boundary, _part("plain", content.text)),
            b"--%s\r\n%s\r\n" % (boundary, _part("html", content.html)),
            b"--%s--\r\n" % boundary,
        )
    )


def _part(kind: str, text: str) -> bytes:
    data = (_LINE_BREAK.sub("\r\n", text).removesuffix("\r\n") + "\r\n").encode()
    quoted, encoded = b2a_qp(data), encodebytes(data).replace(b"\n", b"\r\n")
    # Readable as long as that is not longer, which for most scripts beyond the Latin one it is.
    name, payload = (b"quoted-printable", quoted) if len(quoted) <= len(encoded) else (b"base64", encoded)
    return b'Content-Type: text/%s; charset="utf-8"\r\nContent-Transfer-Encoding: %s\r\n\r\n%s' % (
        kind.encode(),
        name,
        payload,
    )


def _mailbox(name: str, address: str) -> str:
    shown = _CONTROLS.sub(" ", name).strip()
    if not shown:
        return address
    if not _PLAIN.fullmatch(shown):
        phrase = _encoded_words(shown)
    elif _PHRASE.fullmatch(shown):
        phrase = shown
    else:
        escaped = shown.replace("\\", "\\\\").replace('"', '\\"')
        phrase = f'"{escaped}"'
    fold = "\r\n " if len(phrase) + len(address) > _LINE_CHARS else " "
    return f"{phrase}{fold}<{address}>"


def _unstructured(text: str) -> str:
    shown = _CONTROLS.sub(" ", text).strip()
    return shown if _PLAIN.fullmatch(shown) else _encoded_words(shown)


def _encoded_words(text: str) -> str:
    return "\r\n ".join(f"=?utf-8?b?{b64encode(chunk).decode()}?=" for chunk in _chunks(text))


def _chunks(text: str) -> Iterator[bytes]:
    chunk = b""
    for letter in text:  # a letter may not be cut in two (RFC 2047, section 5)
        encoded = letter.encode()
        if len(chunk) + len(encoded) > _WORD_BYTES:
            yield chunk
            chunk = b""
        chunk += encoded
    yield chunk
