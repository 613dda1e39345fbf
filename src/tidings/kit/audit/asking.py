"""The parameters with which an audit log is asked over HTTP."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from litestar.params import QueryParameter

from tidings.kit.audit.entries import AuditEntries, AuditEntry, AuditFilter
from tidings.kit.moments import storable_time

# U+0000 cannot be stored, so no entry can hold it, and PostgreSQL does not even compare with it.
_NAME = r"^[^\x00]*$"

Actor = Annotated[
    str | None,
    QueryParameter(
        pattern=_NAME,
        max_length=100,
        description="entries of this API key (its id), of this service, or of `recipient`",
    ),
]
Action = Annotated[
    str | None,
    QueryParameter(pattern=_NAME, description="entries of this kind, for example `api_key.revoked`"),
]
Subject = Annotated[
    str | None,
    QueryParameter(pattern=_NAME, description="entries on this key, person, template… (its id)"),
]
Since = Annotated[datetime | None, QueryParameter(description="entries from then on, with a UTC offset")]
Cursor = Annotated[str | None, QueryParameter(description="the `next_cursor` of the page before")]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="how many entries to answer")]

REFUSALS = {
    400: "`malformed_request` or `bad_cursor`",
    422: "`invalid_request` or `naive_time`: `errors` names each field at fault",
    503: "`database_unavailable`",
}

EXAMPLE = AuditEntries(
    entries=[
        AuditEntry(
            id=UUID("01990c3e-ac32-7d4f-9e86-4f3a2b5c6d7e"),
            at=datetime(2026, 11, 20, 9, 31, tzinfo=UTC),
            actor="01990c3e-1b00-7a11-8c22-5d6e7f8a9b0c",
            action="api_key.revoked",
            subject="01990c3e-8a10-7b2f-9c64-2d1e0f3a4b5c",
            detail={"name": "billing"},
            correlation_id="88993409737560190fdf6253468d2195",
        )
    ]
)


def asked(
    *, actor: str | None, action: str | None, subject: str | None, since: datetime | None
) -> AuditFilter:
    """The filter that a request's parameters make.

    Raises:
        Unprocessable: `since` has no UTC offset, or PostgreSQL has no such time.
    """
    since = storable_time("since", since) if since else None
    return AuditFilter(actor=actor, action=action, subject=subject, since=since)
