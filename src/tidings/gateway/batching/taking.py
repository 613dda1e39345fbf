"""Taking many notifications at once: each for itself, and all of them in few transactions."""

import asyncio
from collections.abc import Sequence

from tidings.contracts.batches import BatchAnswer, BatchFault, BatchItem, BatchProblem, NewBatch
from tidings.contracts.notifications import Accepted
from tidings.gateway.acceptance import Acceptance
from tidings.gateway.batching.items import key_within, read_item, shared_members
from tidings.gateway.limits.tally import Tally
from tidings.kit.auth import Principal
from tidings.kit.errors import ProblemError, Unavailable

WITHOUT_PAUSE = 25
"""How many items are begun before other requests get their turn: 25 take some 2 ms."""

Outcome = tuple[Accepted, bool] | ProblemError


async def take_batch(
    acceptance: Acceptance, batch: NewBatch, idempotency_key: str | None, caller: Principal, tally: Tally
) -> BatchAnswer:
    """Commit what can be committed, and say of each notification what became of it.

    One without a `request_id` has the key `<idempotency_key>/<index>`.

    Raises:
        Unprocessable: the batch as a whole cannot be read.
        TooManyRequests: the caller asks too often; nothing was taken.
        Unavailable: the database does not answer, and nothing is known to be taken.
    """
    shared = shared_members(batch)
    # Refused as a whole: otherwise it would be the first notification that the limit on requests refuses.
    await tally.count_request()

    async def take(index: int, item: object) -> Outcome:
        try:
            request = read_item(item, shared)
            key = key_within(idempotency_key, index, request)
            return await acceptance.accept(request, key, caller, tally)
        except ProblemError as problem:
            return problem

    # At once, so that they share look-ups and transactions with one another.
    tasks = []
    for index, item in enumerate(batch.notifications):
        tasks.append(asyncio.create_task(take(index, item)))
        if len(tasks) % WITHOUT_PAUSE == 0:
            await asyncio.sleep(0)
    outcomes = await asyncio.gather(*tasks)
    _raise_if_away(outcomes)
    items = [_answered(index, outcome) for index, outcome in enumerate(outcomes)]
    accepted = sum(item.problem is None for item in items)
    return BatchAnswer(accepted=accepted, refused=len(items) - accepted, items=items)


def _raise_if_away(outcomes: Sequence[Outcome]) -> None:
    """An outage is the answer to the whole as long as there is nothing taken to tell of."""
    away = next((one for one in outcomes if isinstance(one, Unavailable)), None)
    if away is not None and all(isinstance(one, ProblemError) for one in outcomes):
        raise away


def _answered(index: int, outcome: Outcome) -> BatchItem:
    if isinstance(outcome, ProblemError):
        return BatchItem(index=index, problem=_as_problem(outcome))
    accepted, replayed = outcome
    return BatchItem(
        index=index,
        id=accepted.id,
        request_id=accepted.request_id,
        status=accepted.status,
        accepted_at=accepted.accepted_at,
        replayed=replayed,
        others=accepted.others,
        deduplicated=accepted.deduplicated,
    )


def _as_problem(error: ProblemError) -> BatchProblem:
    seconds = error.headers.get("Retry-After")
    return BatchProblem(
        status=error.status,
        code=error.code,
        detail=error.detail,
        errors=[BatchFault(field=fault.field, message=fault.message) for fault in error.errors],
        limit=error.limit,
        retry_after=int(seconds) if seconds else None,
    )
