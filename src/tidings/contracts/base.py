"""What every body of our HTTP APIs has in common.

Structs that come in refuse unknown fields, so that a misspelt field is an error and not a surprise.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

# Python's `$` lets a line end pass, hence the look-ahead.
Locale = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*(?!\n)$", description="BCP 47", examples=["pt-BR"]),
]
Slug = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,99}(?!\n)$", description="stable name", examples=["welcome"]),
]
WALL_CLOCK = {"format": "date-time-local"}
"""For descriptions: a time without an offset is no `date-time` of JSON Schema (RFC 3339 wants one)."""


class Incoming(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what callers send."""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what we answer. Readers ignore fields they do not know."""
