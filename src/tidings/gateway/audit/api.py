"""The HTTP side of the audit log."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.audit import AuditEntries, AuditEntry
from tidings.gateway.audit.store import AuditFilter, AuditStore
from tidings.kit.auth import requires
from tidings.kit.cursors import position_of
from tidings.kit.errors import FieldFault, Unprocessable
from tidings.kit.examples import example_of
from tidings.kit.problems import refusals

EXAMPLE = AuditEntry(
    id=UUID("01990c3e-ac32-7d4f-9e86-4f3a2b5c6d7e"),
    at=datetime(2026, 11, 20, 9, 31, tzinfo=UTC),
    actor="01990c3e-1b00-7a11-8c22-5d6e7f8a9b0c",
    action="api_key.revoked",
    subject="01990c3e-8a10-7b2f-9c64-2d1e0f3a4b5c",
    detail={"name": "billing"},
    correlation_id="88993409737560190fdf6253468d2195",
)

# U+0000 cannot be stored, so no entry can hold it, and PostgreSQL does not even compare with it.
_NAME = r"^[^\x00]*$"

Actor = Annotated[
    str | None,
    QueryParameter(pattern=_NAME, description="entries of this API key (its id) or service", max_length=100),
]
Action = Annotated[
    str | None,
    QueryParameter(pattern=_NAME, description="entries of this kind, for example `api_key.revoked`"),
]
Since = Annotated[datetime | None, QueryParameter(description="entries from this moment on, with its offset")]
Cursor = Annotated[str | None, QueryParameter(description="the `next_cursor` of the page before")]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="how many entries to answer")]


@get(
    "/v1/audit-log",
    guards=[requires("audit-log:read")],
    tags=["audit log"],
    summary="Who changed what, newest first",
    operation_class=example_of(answer=AuditEntries(entries=[EXAMPLE])),
    responses=refusals(
        {
            400: "`malformed_request` or `bad_cursor`",
            422: "`invalid_request`: `errors` names each field at fault",
            503: "`database_unavailable`",
        }
    ),
)
async def list_entries(
    *,
    audit_store: NamedDependency[AuditStore],
    actor: Actor = None,
    action: Action = None,
    since: Since = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> AuditEntries:
    """Changes of keys and other settings. Entries are written with the change, and never altered."""
    if since is not None and since.tzinfo is None:
        fault = FieldFault(field="$.since", message="Give the moment with its offset, such as Z or +01:00")
        raise Unprocessable(
            f"The request does not fit: {fault.message}", code="invalid_request", errors=[fault]
        )
    wanted = AuditFilter(actor=actor, action=action, since=since)
    found = await audit_store.page(wanted, before=position_of(cursor), limit=limit + 1)
    more = len(found) > limit
    return AuditEntries(entries=found[:limit], next_cursor=str(found[limit - 1].id) if more else None)


ROUTES: list[ControllerRouterHandler] = [list_entries]
