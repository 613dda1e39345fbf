"""The HTTP side of the audit logs."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.gateway.audit.reading import AuditLogs, LoggingService
from tidings.kit.audit.asking import (
    EXAMPLE,
    REFUSALS,
    Action,
    Actor,
    Cursor,
    Limit,
    Since,
    Subject,
    asked,
)
from tidings.kit.audit.entries import AuditEntries
from tidings.kit.auth import requires
from tidings.kit.examples import example_of
from tidings.kit.problems import refusals

Service = Annotated[LoggingService, QueryParameter(description="whose log: each service has its own")]


@get(
    "/v1/audit-log",
    guards=[requires("audit-log:read")],
    tags=["audit log"],
    summary="Who changed what, newest first",
    operation_class=example_of(answer=EXAMPLE),
    responses=refusals(
        REFUSALS
        | {503: "`database_unavailable`, or for its log `users_unavailable` or `templates_unavailable`"}
    ),
)
async def list_entries(
    *,
    audit_logs: NamedDependency[AuditLogs],
    service: Service = "gateway",
    actor: Actor = None,
    action: Action = None,
    subject: Subject = None,
    since: Since = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> AuditEntries:
    """Changes of keys, callbacks and dead letters; of `users` those of people; of `templates` theirs.

    Entries are written with the change, and never altered.
    """
    wanted = asked(actor=actor, action=action, subject=subject, since=since)
    return await audit_logs.page(service, wanted, cursor=cursor, limit=limit)


ROUTES: list[ControllerRouterHandler] = [list_entries]
