"""The HTTP side of the suppression list."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.users import (
    NewSuppression,
    SuccessReport,
    Suppression,
    SuppressionCheck,
    SuppressionFindings,
    SuppressionReason,
    Suppressions,
)
from tidings.kit.auth import AuthenticatedRequest, requires
from tidings.kit.cursors import position_of
from tidings.kit.errors import NotFound
from tidings.kit.examples import example_of
from tidings.kit.problems import refusals
from tidings.users.suppressions.rules import checked_suppression, with_normal_email
from tidings.users.suppressions.store import SuppressionFilter, SuppressionStore
from tidings.users.validation import refuse, unstorable, uuid_of

READ = [requires("users:read")]
WRITE = [requires("users:write")]
TAGS = ["suppressions"]
INVALID = "`invalid_request`: `errors` names each field at fault"

NEW = NewSuppression(email="ada@example.com", reason=SuppressionReason.HARD_BOUNCE, source="smtp: 550 5.1.1")
EXAMPLE = Suppression(
    id=UUID("01990c3e-7c55-7d02-8b1f-5a0c9e2d4f61"),
    email=NEW.email,
    reason=NEW.reason,
    source=NEW.source,
    created_at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
    expires_at=datetime(2026, 12, 20, 9, 30, tzinfo=UTC),
)

Store = NamedDependency[SuppressionStore]
Email = Annotated[str | None, QueryParameter(description="entries of this address, in any case")]
Token = Annotated[str | None, QueryParameter(max_length=4096, description="entries of this push token")]
Reason = Annotated[SuppressionReason | None, QueryParameter(description="entries with this reason")]
Expired = Annotated[bool, QueryParameter(description="also entries that have expired")]
Cursor = Annotated[str | None, QueryParameter(description="the `next_cursor` of the page before")]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="how many entries to answer")]


@get(
    "/suppressions",
    guards=READ,
    tags=TAGS,
    summary="List who must not be written to",
    operation_class=example_of(answer=Suppressions(suppressions=[EXAMPLE])),
    responses=refusals({400: "`malformed_request` or `bad_cursor`", 422: INVALID}),
)
async def list_suppressions(
    *,
    suppression_store: Store,
    email: Email = None,
    token: Token = None,
    reason: Reason = None,
    expired: Expired = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Suppressions:
    """Entries of the suppression list, newest first."""
    wanted = with_normal_email(SuppressionFilter(email=email, token=token, reason=reason, expired=expired))
    found = await suppression_store.page(wanted, before=position_of(cursor), limit=limit + 1)
    more = len(found) > limit
    return Suppressions(suppressions=found[:limit], next_cursor=str(found[limit - 1].id) if more else None)


@post(
    "/suppressions",
    guards=WRITE,
    tags=TAGS,
    summary="Add an address or a push token",
    operation_class=example_of(request=NEW, answer=EXAMPLE),
    responses={
        200: ResponseSpec(
            Suppression, description="It was on the list for this reason; the later expiry counts"
        ),
        **refusals({422: INVALID}),
    },
)
async def add_suppression(
    data: JSONBody[NewSuppression], suppression_store: Store, request: AuthenticatedRequest
) -> Response[Suppression]:
    """Say that an address must not be written to. It holds for the next notification on."""
    suppression, is_new = await suppression_store.add(checked_suppression(data), actor=request.user.owner)
    return Response(suppression, status_code=201 if is_new else 200)


@delete(
    "/suppressions/{suppression_id:str}",
    guards=WRITE,
    tags=TAGS,
    summary="Take an entry off the list",
    responses=refusals({404: "`unknown_suppression`: not the form of an id"}),
)
async def remove_suppression(
    suppression_id: FromPath[str], suppression_store: Store, request: AuthenticatedRequest
) -> None:
    """Let an address be written to again, unless another entry holds it. Twice is no error."""
    parsed = uuid_of(suppression_id)
    if parsed is None:
        raise NotFound(f"{suppression_id} is not the id of a suppression", code="unknown_suppression")
    await suppression_store.remove(parsed, actor=request.user.owner)


@post(
    "/suppressions/success",
    status_code=204,
    guards=WRITE,
    tags=TAGS,
    summary="Report that an address took a message",
    operation_class=example_of(request=SuccessReport(email="ada@example.com")),
    responses=refusals({422: INVALID}),
)
async def report_success(
    data: JSONBody[SuccessReport], suppression_store: Store, request: AuthenticatedRequest
) -> None:
    """Clear the hard bounces and `invalid` entries of an address, which a message that arrived disproves."""
    await suppression_store.clear_presumed_dead(with_normal_email(data).email, actor=request.user.owner)


@post(
    "/suppressions/check",
    status_code=200,
    guards=READ,
    tags=TAGS,
    summary="Ask which addresses must not be written to",
    operation_class=example_of(
        request=SuppressionCheck(emails=["ada@example.com", "bob@example.com"]),
        answer=SuppressionFindings(suppressed=["ada@example.com"]),
    ),
    responses=refusals({422: INVALID}),
)
async def check_suppressions(
    data: JSONBody[SuppressionCheck], suppression_store: Store
) -> SuppressionFindings:
    """Those of the addresses that are on the list, as they were given. Case makes no difference."""
    refuse(unstorable(data))
    return SuppressionFindings(suppressed=await suppression_store.among(data.emails))


ROUTES: list[ControllerRouterHandler] = [
    check_suppressions,
    list_suppressions,
    add_suppression,
    remove_suppression,
    report_success,
]
