"""The audit log of a service other than the gateway, over HTTP. The gateway asks it."""

from litestar import get
from litestar.di import NamedDependency
from litestar.types import ControllerRouterHandler

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
from tidings.kit.audit.store import AuditLog
from tidings.kit.auth import only_services, requires
from tidings.kit.cursors import position_of
from tidings.kit.examples import example_of
from tidings.kit.problems import refusals


@get(
    "/audit-log",
    guards=[requires("audit-log:read"), only_services],
    tags=["audit log"],
    summary="Who changed what, newest first",
    operation_class=example_of(answer=EXAMPLE),
    responses=refusals(REFUSALS),
)
async def list_entries(
    *,
    audit_log: NamedDependency[AuditLog],
    actor: Actor = None,
    action: Action = None,
    subject: Subject = None,
    since: Since = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> AuditEntries:
    """Changes of what this service holds, for the gateway: callers ask `GET /v1/audit-log` there."""
    wanted = asked(actor=actor, action=action, subject=subject, since=since)
    return await audit_log.page(wanted, before=position_of(cursor), limit=limit)


ROUTES: list[ControllerRouterHandler] = [list_entries]
