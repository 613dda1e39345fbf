"""Client of the public API for those who look into who changed what."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Literal

from tidings.client.http import ServiceHttp
from tidings.client.paging import each
from tidings.kit.audit.entries import AuditEntries, AuditEntry


class AuditLogClient:
    """The audit logs of the services."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    def find(
        self,
        service: Literal["gateway", "users", "templates"] = "gateway",
        *,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        since: datetime | None = None,
    ) -> AsyncIterator[AuditEntry]:
        """Entries of one service's log to which every filter given applies, newest first.

        Raises:
            RemoteProblem: refused.
            RemoteUnavailable: no answer, or the service whose log it is does not answer.
        """
        return each(
            self._http,
            AuditEntries,
            "/v1/audit-log",
            lambda page: page.entries,
            service=service,
            actor=actor,
            action=action,
            subject=subject,
            since=since,
        )
