"""The public API for many notifications at once."""

from typing import Annotated, Any

from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.params import HeaderParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.batches import BatchAnswer, DryBatch, NewBatch
from tidings.gateway.acceptance import Acceptance
from tidings.gateway.api import MAX_BODY_BYTES, OnlyDry
from tidings.gateway.batching import examples
from tidings.gateway.batching.dry_runs import DryBatches
from tidings.gateway.batching.taking import take_batch
from tidings.gateway.idempotency.once import HAS_KEYS_OF_ITS_OWN, read_key
from tidings.gateway.limits.enforcing import COUNTS_ITSELF, tally_of
from tidings.kit.auth import Principal, requires
from tidings.kit.errors import ContentTooLarge, Problem
from tidings.kit.problems import refusals, render_problem

BatchKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        max_length=257,
        description=(
            "for notifications without a `request_id`, each with its index;"
            " kept for 24 hours unless the installation says otherwise"
        ),
    ),
]


def explain_size(request: Request[Any, Any, Any], _error: RequestEntityTooLarge) -> Response[Problem]:
    """The answer to a body that is not even read."""
    words = (
        f"A batch may have {MAX_BODY_BYTES:,} bytes (16 MiB). Send it in several parts, "
        "and give large files by `url`"
    )
    return render_problem(request, ContentTooLarge(words, code="body_too_large"))


@post(
    "/v1/notifications/batch",
    guards=[requires("notifications:write")],
    status_code=202,
    tags=["notifications"],
    summary="Notify up to 1,000 people, or one template to many",
    responses={
        200: examples.DRY_BATCH_ANSWER,
        202: examples.BATCH_ANSWER,
        **refusals(
            {
                413: "`body_too_large`: send it in several batches, and give large files by `url`",
                422: "`invalid_request`: the batch as a whole cannot be read",
                503: "`database_unavailable`: repeat it, with the same keys",
            }
        ),
    },
    request_max_body_size=MAX_BODY_BYTES,
    exception_handlers={RequestEntityTooLarge: explain_size},
    opt={COUNTS_ITSELF: True, HAS_KEYS_OF_ITS_OWN: True},
)
async def send_batch(
    data: Annotated[NewBatch, examples.BATCH_BODY],
    request: Request[Principal, None, State],
    acceptance: NamedDependency[Acceptance],
    dry_batches: NamedDependency[DryBatches],
    idempotency_key: BatchKey = None,
    *,
    dry_run: OnlyDry = False,
) -> Response[BatchAnswer] | Response[DryBatch]:
    """Each notification is taken or refused for itself, as if it had come alone.

    Sent again, those that were taken are `replayed`, and the others get another chance. A dry run answers
    200 with every decision about each, also with those that would refuse it.
    """
    key = None if idempotency_key is None else read_key(idempotency_key)
    tally = tally_of(request)
    if dry_run:
        return Response(await dry_batches.run(data, key, request.user, tally), status_code=200)
    return Response(await take_batch(acceptance, data, key, request.user, tally), status_code=202)


BATCH_ROUTES: list[ControllerRouterHandler] = [send_batch]
