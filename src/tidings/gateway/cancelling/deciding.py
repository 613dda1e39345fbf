"""Whether a notification can still be cancelled: never "maybe".

What the sweeper has not taken yet is decided in PostgreSQL. Whatever may be at the broker or with a worker is
decided in the delivery ledger, where the worker has to claim it just before the body goes out. Only then
does the state move; should this process die before that, the worker reports the cancel itself.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from prometheus_client import Counter

from tidings.contracts.cancels import CancelAnswer, CancelItem, CancelProblem, NewCancels
from tidings.contracts.codes import Status
from tidings.gateway.callbacks.outbox import CallbackOutbox
from tidings.gateway.cancelling.ledger import CancelLedger
from tidings.gateway.cancelling.store import CancelStore, Standing, Terms
from tidings.kit.auth import Principal
from tidings.kit.cache import open_redis
from tidings.kit.database import Database
from tidings.kit.errors import Conflict, NotFound, ProblemError, Unavailable

CANCELS = Counter("tidings_cancels_total", "Notifications that were to be cancelled, by answer", ["answer"])


class Canceller:
    """Cancels notifications, one or many."""

    def __init__(self, store: CancelStore, ledger: CancelLedger) -> None:
        self._store = store
        self._ledger = ledger

    async def cancel(self, notification_id: UUID, reason: str | None, caller: Principal) -> None:
        """Cancel one; once this returns it is never sent. Repeating it is harmless.

        Raises:
            NotFound: there is no such notification, or not for a test key.
            Conflict: a worker has begun to send it, or it is settled.
            Unavailable: PostgreSQL or Redis does not answer, so it may still be sent.
        """
        decided = await self._decide([notification_id], Terms(reason, caller.sandbox))
        if not decided:
            raise NotFound(f"There is no notification {notification_id}", code="unknown_notification")
        ((_, problem),) = decided
        if problem is not None:
            raise problem

    async def cancel_many(self, wanted: NewCancels, caller: Principal) -> CancelAnswer:
        """Cancel up to 1,000 of those that are meant, each for itself.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        found = await self._store.select(wanted, caller)
        terms = Terms(wanted.reason, caller.sandbox, caller.owner, _subject(wanted))
        decided = await self._decide(found.ids, terms)
        items = [_item(standing, problem) for standing, problem in decided]
        refused = sum(item.problem is not None for item in items)
        return CancelAnswer(
            cancelled=len(items) - refused,
            refused=refused,
            left=found.left,
            unknown=found.unknown,
            items=items,
        )

    async def _decide(self, ids: Sequence[UUID], terms: Terms) -> list[tuple[Standing, ProblemError | None]]:
        standings = await self._store.cancel(ids, (), terms)
        waiting = [one.id for one in standings.values() if not one.status.settled]
        told: dict[UUID, bool] = {}
        if waiting:
            told = await self._ledger.bar(waiting)
            barred = [one for one, is_barred in told.items() if is_barred]
            if barred:
                standings |= await self._store.cancel(barred, barred, terms)
        decided = [(standings[one], _problem(standings[one], told)) for one in ids if one in standings]
        for _, problem in decided:
            CANCELS.labels("cancelled" if problem is None else problem.code).inc()
        return decided


@asynccontextmanager
async def open_cancelling(
    cache_url: str | None, database: Database, outbox: CallbackOutbox
) -> AsyncIterator[Canceller]:
    """Cancel for as long as the block runs; without a `cache_url` only what is not due yet."""
    store = CancelStore(database, outbox)
    if cache_url is None:
        yield Canceller(store, CancelLedger(None))
        return
    async with open_redis(cache_url) as redis:
        yield Canceller(store, CancelLedger(redis))


def _subject(wanted: NewCancels) -> str:
    if wanted.request_ids is not None:
        return "request_ids"
    return str(wanted.group_id or wanted.schedule_id)


def _problem(standing: Standing, told: dict[UUID, bool]) -> ProblemError | None:
    if standing.status is Status.CANCELLED:
        return None
    if standing.status.settled:
        words = f"The notification {standing.id} is {standing.status} already, so there is nothing to cancel"
        return Conflict(words, code="already_settled")
    if standing.id in told:
        words = (
            f"A worker has begun to send the notification {standing.id}, which is {standing.status}: "
            "it may have arrived"
        )
        return Conflict(words, code="already_sending")
    words = (
        f"Whether the notification {standing.id} was sent cannot be found out now: Redis does not answer, or "
        "it is not that of the workers (TIDINGS_CACHE_URL). It may still be sent. Ask again"
    )
    return Unavailable(words, code="cache_unavailable")


def _item(standing: Standing, problem: ProblemError | None) -> CancelItem:
    refused = None
    if problem is not None:
        refused = CancelProblem(status=problem.status, code=problem.code, detail=problem.detail)
    return CancelItem(id=standing.id, request_id=standing.request_id, status=standing.status, problem=refused)
