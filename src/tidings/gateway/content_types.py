"""What kind of file it is, by its name, where a request does not say."""

import mimetypes
from typing import Final

ANY_BYTES: Final = "application/octet-stream"

_OFFICE = "application/vnd.openxmlformats-officedocument"
_MISSING = {
    ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".ics": "text/calendar",
    ".pptx": f"{_OFFICE}.presentationml.presentation",
    ".webp": "image/webp",
    ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
}


def content_type_of(filename: str) -> str:
    """The media type that a file's name speaks of; that of any bytes where it speaks of none."""
    guessed, encoding = _TYPES.guess_type(filename)
    if encoding is not None:  # `x.tar.gz` is no longer a tar
        return "application/gzip" if encoding == "gzip" else ANY_BYTES
    # A whole email is no plain file: MIME has rules of its own for it (RFC 2046, section 5.2).
    return ANY_BYTES if guessed is None or guessed.startswith("message/") else guessed


def _types() -> mimetypes.MimeTypes:
    # Python's own table only: that of the system differs from one machine to the next.
    types = mimetypes.MimeTypes()
    for ending, content_type in _MISSING.items():
        types.add_type(content_type, ending)
    return types


_TYPES = _types()
