"""Answers at rest: which part of them is kept, and sealed, because it may hold a new key or secret."""

from dataclasses import dataclass, field

import msgspec
from litestar import Response
from litestar.types import HTTPResponseBodyEvent, HTTPResponseStartEvent

from tidings.gateway.credentials.sealing import Unsealable, seal, unseal

MAX_BODY_BYTES = 256 * 1024
KEPT_HEADERS = ("cache-control", "content-type", "etag", "location", "vary")
REPLAYED_HEADER = "Idempotent-Replayed"
PURPOSE = "tidings kept answers"


class KeptAnswer(msgspec.Struct, frozen=True, array_like=True):
    """An answer as it was given; without a `body` it was longer than we keep."""

    status: int
    headers: dict[str, str]
    body: bytes | None

    def again(self) -> Response[bytes]:
        """The answer once more, marked as such."""
        headers = {name: value for name, value in self.headers.items() if name != "content-type"}
        return Response(
            self.body or b"",
            status_code=self.status,
            headers={**headers, REPLAYED_HEADER: "true"},
            media_type=self.headers.get("content-type"),
        )


@dataclass(slots=True)
class Draft:
    """An answer on its way out."""

    start: HTTPResponseStartEvent
    parts: list[HTTPResponseBodyEvent] = field(default_factory=list)
    size: int = 0

    def add(self, part: HTTPResponseBodyEvent) -> bool:
        """Add the next part; whether we know enough: that was the last one, or it is too long to keep."""
        self.parts.append(part)
        self.size += len(part["body"])
        return not part.get("more_body", False) or self.size > MAX_BODY_BYTES

    def kept(self) -> KeptAnswer:
        """What is kept of it."""
        headers = {name.decode("latin-1").lower(): value for name, value in self.start["headers"]}
        return KeptAnswer(
            self.start["status"],
            {name: headers[name].decode("latin-1") for name in KEPT_HEADERS if name in headers},
            b"".join(part["body"] for part in self.parts) if self.size <= MAX_BODY_BYTES else None,
        )


class AnswerSeal:
    """Seals answers with the service secret, each for its owner and key."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def close(self, owner: str, key: str, answer: KeptAnswer) -> bytes:
        """The answer as it may lie in a table."""
        return seal(self._secret, f"{owner} {key}", msgspec.msgpack.encode(answer), purpose=PURPOSE)

    def open(self, owner: str, key: str, sealed: bytes) -> KeptAnswer | None:
        """The answer; None if it was sealed with another service secret."""
        try:
            content = unseal(self._secret, f"{owner} {key}", sealed, purpose=PURPOSE)
        except Unsealable:
            return None
        return msgspec.msgpack.decode(content, type=KeptAnswer)
