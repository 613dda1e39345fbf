"""The audit logs of all services: the gateway's own, and those that it asks for."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from tidings.client.http import RemoteProblem, RemoteUnavailable, ServiceHttp
from tidings.kit.audit.entries import AuditEntries, AuditFilter
from tidings.kit.audit.store import AuditLog
from tidings.kit.cursors import position_of
from tidings.kit.errors import Unavailable

LoggingService = Literal["gateway", "users", "templates"]


class AuditLogs:
    """Reads the gateway's log from its database, and the others over HTTP."""

    def __init__(self, own: AuditLog, others: Mapping[str, ServiceHttp]) -> None:
        self._own = own
        self._others = others

    async def page(
        self, service: LoggingService, wanted: AuditFilter, *, cursor: str | None, limit: int
    ) -> AuditEntries:
        """At most `limit` entries of one service's log that fit, newest first, after those before `cursor`.

        Raises:
            Malformed: no page gave this cursor.
            Unavailable: the service does not answer.
        """
        before = position_of(cursor)
        if service == "gateway":
            return await self._own.page(wanted, before=before, limit=limit)
        asked = {**msgspec.to_builtins(wanted), "cursor": cursor, "limit": limit}
        params = {name: str(value) for name, value in asked.items() if value is not None}
        try:
            return await self._others[service].read(AuditEntries, "/audit-log", params=params)
        except (RemoteUnavailable, RemoteProblem) as error:
            raise Unavailable(
                f"The {service} service does not answer now", code=f"{service}_unavailable"
            ) from error
