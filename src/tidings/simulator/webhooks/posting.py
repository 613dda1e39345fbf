"""One request to a receiver of events."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class Posting:
    """A body with the headers that go with it, its signature among them."""

    body: bytes
    headers: Mapping[str, str]


def json_posting(body: object, headers: Mapping[str, str] | None = None, *, agent: str) -> Posting:
    """A body in JSON."""
    encoded = msgspec.json.encode(body)
    return Posting(encoded, {"Content-Type": "application/json", "User-Agent": agent, **(headers or {})})
