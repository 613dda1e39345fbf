"""The parts that an email is made of, and how they nest (RFC 2045, 2046, 2387)."""

from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tidings.email.letter import File, Letter
from tidings.email.mime.fields import parameter
from tidings.kit.email_headers import check_content_id, check_content_type

Headers = list[tuple[str, str]]

_LINE_BYTES = 998
_BASE64_CHARS = 76
_READABLE = bytes([9, 10, 13, *range(32, 127)]).replace(b"=", b"")


@dataclass(frozen=True, slots=True)
class Entity:
    """A part with its own headers. The body's lines end in CRLF, the last one too."""

    headers: Headers
    body: bytes


def content_entity(notification_id: UUID, letter: Letter) -> Entity:
    """Text and html as alternatives, images that the html shows beside it, other files after both.

    A file with a content id is an attachment like any other when there is no html to show it.
    """
    # No encoding that a text is given below can hold `=_`, so none can hold a boundary.
    boundary = f"=_{notification_id.hex}"
    html = letter.email.html
    shown = [file for file in letter.files if file.content_id and html is not None]
    attached = [file for file in letter.files if not file.content_id or html is None]
    body = None if html is None else text_entity("html", html)
    if body is not None and shown:
        images = [_file_entity(file, "inline") for file in shown]
        body = _multipart('related; type="text/html"', f"{boundary}r", [body, *images])
    text = letter.email.text
    if text is not None or body is None:
        plain = text_entity("plain", text or "")
        body = plain if body is None else _multipart("alternative", f"{boundary}a", [plain, body])
    if not attached:
        return body
    return _multipart(
        "mixed", f"{boundary}m", [body, *[_file_entity(file, "attachment") for file in attached]]
    )


def text_entity(kind: str, text: str) -> Entity:
    """A text of any script: as it stands when that survives transport, else in the shorter encoding."""
    data = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").replace("\n", "\r\n").encode()
    data += b"\r\n"
    encoding, body = _encoded(data)
    content_type = f'text/{kind}; charset="{"us-ascii" if encoding == "7bit" else "utf-8"}"'
    return Entity([("Content-Type", content_type), ("Content-Transfer-Encoding", encoding)], body)


def _encoded(data: bytes) -> tuple[str, bytes]:
    if _survives(data):
        return "7bit", data
    escaped = len(data.translate(None, _READABLE))
    if escaped * 6 > len(data):  # quoted-printable takes three bytes for one, base64 four for three
        return "base64", _base64(data)
    quoted = b2a_qp(data)
    if quoted.startswith(b"From ") or b"\nFrom " in quoted:
        # A mailbox file would put a > before it. A soft break inside the word keeps lines as short.
        quoted = (b"\n" + quoted).replace(b"\nFrom ", b"\nF=\r\nrom ")[1:]
    return "quoted-printable", quoted


def _survives(data: bytes) -> bool:
    return (
        data.isascii()
        and b"=_" not in data
        and b"\0" not in data
        and b"From " not in data
        and max(map(len, data.split(b"\r\n"))) <= _LINE_BYTES
    )


def _base64(data: bytes) -> bytes:
    encoded = b64encode(data)
    lines = [encoded[start : start + _BASE64_CHARS] for start in range(0, len(encoded), _BASE64_CHARS)]
    return b"\r\n".join((*lines, b""))


def _file_entity(file: File, disposition: str) -> Entity:
    headers = [
        ("Content-Type", _content_type(file.content_type)),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", disposition + parameter("filename", file.filename)),
    ]
    if file.content_id:
        check_content_id(file.content_id)
        headers.append(("Content-ID", f"<{file.content_id}>"))
    return Entity(headers, _base64(file.content))


def _content_type(content_type: str) -> str:
    try:
        check_content_type(content_type)
    except ValueError:
        return "application/octet-stream"  # RFC 2045, section 5.2: what programs do with an unknown type
    return content_type.replace(";", ";\r\n ")


def _multipart(kind: str, boundary: str, parts: Sequence[Entity]) -> Entity:
    pieces: list[bytes] = []
    for part in parts:
        head = "".join([f"{name}: {value}\r\n" for name, value in part.headers])
        pieces += (f"--{boundary}\r\n{head}\r\n".encode(), part.body, b"\r\n")
    pieces.append(f"--{boundary}--\r\n".encode())
    return Entity([("Content-Type", f'multipart/{kind};\r\n boundary="{boundary}"')], b"".join(pieces))
