"""Telling whether two writes with one key are the same write."""

from hashlib import sha256

import msgspec


def fingerprint_of(method: str, path: bytes, query: bytes, body: bytes) -> bytes:
    """Equal for requests whose method, path and query are equal, and whose bodies mean the same.

    JSON bodies may differ in white space, the order of members and how characters are escaped; others in
    nothing. `path` and `query` are as they were sent.
    """
    # As one MessagePack array every part has its length, so that no two requests look alike run together.
    return sha256(msgspec.msgpack.encode((method, path, query, *_meaning(body)))).digest()


def _meaning(body: bytes) -> tuple[bool, bytes]:
    try:
        return True, msgspec.json.encode(msgspec.json.decode(body), order="deterministic")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False, body
