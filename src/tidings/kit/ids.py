"""Identifiers and the clock."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A UUID version 7 (RFC 9562): sorted by time of creation."""
    return UUID(int=uuid7().int)


def now() -> datetime:
    """The present moment, in UTC, with its zone."""
    return datetime.now(UTC)
