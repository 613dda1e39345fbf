"""Idempotency of writes, put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from tidings.gateway.idempotency.answers import AnswerSeal
from tidings.gateway.idempotency.once import Once
from tidings.gateway.idempotency.store import AnswerStore
from tidings.gateway.settings import GatewaySettings
from tidings.kit.database import Database
from tidings.kit.ids import now
from tidings.kit.repeating import repeat

SWEEP_SECONDS = 60.0
AT_ONCE = 500


@asynccontextmanager
async def open_idempotency(settings: GatewaySettings, database: Database) -> AsyncIterator[Once]:
    """What does writes once, for as long as the block runs; old answers are deleted meanwhile."""
    store = AnswerStore(
        database,
        lifetime=timedelta(hours=settings.idempotency_hours),
        lease=timedelta(seconds=settings.idempotency_lease_seconds),
    )
    once = Once(store, AnswerSeal(settings.service_secret))
    cleaning = repeat(partial(_drop_expired, store), seconds=SWEEP_SECONDS, failed="cleaning_failed")
    # A quarter, so that a lease outlasts two renewals that fail.
    renewing = repeat(
        once.renew_claims, seconds=settings.idempotency_lease_seconds / 4, failed="claims_not_renewed"
    )
    tasks = [asyncio.create_task(work) for work in (cleaning, renewing)]
    try:
        yield once
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _drop_expired(store: AnswerStore) -> None:
    while await store.drop_expired(before=now(), limit=AT_ONCE) == AT_ONCE:
        pass
