"""The audit log as it is read: who changed what, and when."""

from datetime import datetime
from typing import Any
from uuid import UUID

from tidings.contracts.base import Outgoing


class AuditEntry(Outgoing, frozen=True, kw_only=True):
    """One change. `actor` is the id of an API key, or the name of a service of the installation.

    `action` is a dotted name such as `api_key.revoked`; `subject` is the id of what was changed. No
    entry holds a secret. `correlation_id` finds the log lines of the request that made the change.
    """

    id: UUID
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    correlation_id: str | None = None


class AuditEntries(Outgoing, frozen=True, kw_only=True):
    """A page of the audit log, newest first."""

    entries: list[AuditEntry]
    next_cursor: str | None = None
