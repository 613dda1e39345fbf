"""What an audit log holds, and what may be asked of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `actor` is the id of an API key, the name of a service, or `recipient`.

    `action` is a dotted name such as `api_key.revoked`; `subject` is the id of what was changed. No
    entry holds a secret, an address or a name of a person. `correlation_id` finds the log lines of the
    request that made the change.
    """

    id: UUID
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    correlation_id: str | None = None


class AuditEntries(msgspec.Struct, frozen=True, kw_only=True):
    """A page of an audit log, newest first."""

    entries: list[AuditEntry]
    next_cursor: str | None = None


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are wanted; without anything, all."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done: `action` as `<noun>.<past participle>`, and the id of what it was done to."""

    action: str
    subject: str
    detail: Mapping[str, object] = {}
