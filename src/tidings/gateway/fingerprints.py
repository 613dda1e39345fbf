"""Telling whether two requests with one key are the same request."""

import re
from hashlib import sha256

import msgspec

from tidings.contracts.notifications import NewNotification
from tidings.kit.errors import ContentTooLarge, Unprocessable
from tidings.kit.service import MAX_BODY_BYTES

_ADDED = ("email", "send_at", "send_at_local", "also", "fallback", "dedupe_key", "dedupe_seconds")
"""Members that earlier releases did not have, in the order in which they came."""
_NOT_GIVEN = [f',"{name}":null}}'.encode() for name in reversed(_ADDED)]
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def fingerprint_of(request: NewNotification, key: str) -> bytes:
    """Equal for requests that differ only in the order of members and in white space.

    Attachments cost about 3 ms per MiB: call it from a thread where there are any.

    Raises:
        ContentTooLarge: `body_too_large`, apart from what is attached.
        Unprocessable: it holds U+0000.
    """
    encoded = storable(request)
    if "\0" in key:
        raise _holds_nul()
    # As gateways wrote it before there were such members: what they accepted is still repeated.
    for ending in _NOT_GIVEN:
        if not encoded.endswith(ending):
            break
        encoded = encoded.removesuffix(ending) + b"}"
    return sha256(encoded).digest()


def storable(request: NewNotification) -> bytes:
    """The request as JSON, with digests of what is attached.

    Raises:
        ContentTooLarge: `body_too_large`, apart from what is attached.
        Unprocessable: it holds U+0000.
    """
    encoded = msgspec.json.encode(_with_digests(request), order="deterministic")
    if len(encoded) > MAX_BODY_BYTES:
        raise ContentTooLarge(
            f"Apart from its attachments the request has {len(encoded):,} bytes, and the most is "
            f"{MAX_BODY_BYTES:,} (2 MiB)",
            code="body_too_large",
        )
    if _NUL.search(encoded):
        raise _holds_nul()
    return encoded


def _holds_nul() -> Unprocessable:
    return Unprocessable("The character U+0000 is in it, which cannot be stored", code="invalid_request")


def _with_digests(request: NewNotification) -> NewNotification:
    if request.email is None:
        return request
    attachments = [
        one if one.content is None else msgspec.structs.replace(one, content=sha256(one.content).digest())
        for one in request.email.attachments
    ]
    email = msgspec.structs.replace(request.email, attachments=attachments)
    return msgspec.structs.replace(request, email=email)
