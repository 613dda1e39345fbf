"""The public API, and what only our own services ask."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.params import FromPath, HeaderParameter, QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.explaining import DryRun
from tidings.contracts.notifications import Accepted, NewNotification, Notification
from tidings.gateway import examples
from tidings.gateway.acceptance import Acceptance
from tidings.gateway.attachment_store import AttachmentStore
from tidings.gateway.explaining.dry_runs import DryRuns
from tidings.gateway.explaining.examples import DRY_RUN_ANSWER
from tidings.gateway.idempotency.once import HAS_KEYS_OF_ITS_OWN, read_key
from tidings.gateway.limits.enforcing import COUNTS_ITSELF, tally_of
from tidings.gateway.reach import reached
from tidings.gateway.reading_store import ReadingStore
from tidings.kit.auth import AuthenticatedRequest, Principal, only_services, requires
from tidings.kit.errors import ContentTooLarge, NotFound, Problem
from tidings.kit.problems import refusals, render_problem

Reading = NamedDependency[ReadingStore]
Attachments = NamedDependency[AttachmentStore]

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        max_length=257,
        description=(
            "the key instead of `request_id`, which then is only a name;"
            " kept for 24 hours unless the installation says otherwise"
        ),
    ),
]

OnlyDry = Annotated[
    bool, QueryParameter(description="say what would become of it, and send, store and count nothing")
]

UNPROCESSABLE = (
    "`invalid_request`, `missing_request_id`, `unknown_user`, `unknown_template`, `template_lacks_channel`,"
    " `archived_template`, `missing_variable`, `invalid_variables`, `naive_time`, `already_expired`,"
    " `expires_before_sending`, `too_far_ahead`, `repeated_channel`,"
    " `expires_before_fallback` or"
    " `idempotency_key_reused`:"
    " `errors` names each field at fault"
)
TOO_LARGE = "`attachments_too_large` or `body_too_large`: give large files by `url`"
AWAY = "`database_unavailable`, or `users_unavailable`: the recipient's time zone is not known now"
MAX_BODY_BYTES = 16 * 1024 * 1024
"""Room for 10 MiB of attachments in base64, and 2 MiB besides."""


def explain_size(request: Request[Any, Any, Any], _error: RequestEntityTooLarge) -> Response[Problem]:
    """The answer to a body that is not even read."""
    size = request.headers.get("content-length")
    words = (
        f"The body {f'has {int(size):,} bytes' if size else 'is too long'}, and the most is "
        f"{MAX_BODY_BYTES:,} (16 MiB), which leaves room for attachments of 10 MiB in base64. "
        "Give larger files by `url`"
    )
    return render_problem(request, ContentTooLarge(words, code="body_too_large"))


@dataclass(frozen=True, slots=True)
class Sending:
    """What `send` works with, in one: Litestar begins a task for each of several dependencies."""

    acceptance: Acceptance
    dry_runs: DryRuns


@post(
    "/v1/notifications",
    guards=[requires("notifications:write")],
    status_code=202,
    tags=["notifications"],
    summary="Notify one person, on one channel or on several",
    responses={
        200: DRY_RUN_ANSWER,
        202: examples.ACCEPTED_ANSWER,
        **refusals({413: TOO_LARGE, 422: UNPROCESSABLE, 503: AWAY}),
    },
    request_max_body_size=MAX_BODY_BYTES,
    exception_handlers={RequestEntityTooLarge: explain_size},
    opt={COUNTS_ITSELF: True, HAS_KEYS_OF_ITS_OWN: True},
)
async def send(
    data: Annotated[NewNotification, examples.SENT_BODY],
    request: Request[Principal, None, State],
    sending: NamedDependency[Sending],
    idempotency_key: IdempotencyKey = None,
    *,
    dry_run: OnlyDry = False,
) -> Response[Accepted] | Response[DryRun]:
    """Answers 202 once the notification is committed: from then on it cannot be lost.

    The same key and body again answer the same, with `Idempotent-Replayed: true`; the same key with
    another body is a 422. A dry run answers 200 with every decision, also with those that would refuse it.
    """
    key = None if idempotency_key is None else read_key(idempotency_key)
    tally = tally_of(request)
    if dry_run:
        return Response(await sending.dry_runs.run(data, key, request.user, tally), status_code=200)
    accepted, replayed = await sending.acceptance.accept(data, key, request.user, tally)
    headers = {"Location": f"/v1/notifications/{accepted.id}"}
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(accepted, status_code=202, headers=headers)


@get(
    "/v1/notifications/{notification_id:str}",
    guards=[requires("notifications:read")],
    tags=["notifications"],
    summary="A notification with its timeline",
    responses={200: examples.FOUND_ANSWER, **refusals({404: "`unknown_notification`"})},
)
async def read(
    notification_id: FromPath[str], request: AuthenticatedRequest, reading: Reading
) -> Notification:
    """The present state, and every step that led to it."""
    found = reached(request.user, await reading.notification(_as_id(notification_id)))
    if found is None:
        raise _unknown(notification_id)
    return found


@get(
    "/v1/attachments/{attachment_id:uuid}",
    guards=[requires("attachments:read"), only_services],
    media_type="application/octet-stream",
    include_in_schema=False,
)
async def read_attachment(attachment_id: FromPath[UUID], attachments: Attachments) -> bytes:
    """For our own services: a file that came inside a request, byte for byte."""
    content = await attachments.content(attachment_id)
    if content is None:
        raise NotFound(f"There is no attachment {attachment_id}", code="unknown_attachment")
    return content


ROUTES: list[ControllerRouterHandler] = [send, read, read_attachment]


def _as_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise _unknown(text) from error


def _unknown(notification_id: str) -> NotFound:
    return NotFound(f"There is no notification {notification_id}", code="unknown_notification")
