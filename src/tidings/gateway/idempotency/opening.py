"""Idempotency of writes, put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from tidings.gateway.idempotency.answers import AnswerSeal
from tidings.gateway.idempotency.once import Once
from tidings.gateway.idempotency.store import AnswerStore
from tidings.gateway.settings import GatewaySettings
from tidings.kit.database import Database
from tidings.kit.errors import Unavailable
from tidings.kit.ids import now

SWEEP_SECONDS = 60.0
AT_ONCE = 500

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_idempotency(settings: GatewaySettings, database: Database) -> AsyncIterator[Once]:
    """What does writes once, for as long as the block runs; old answers are deleted meanwhile."""
    store = AnswerStore(
        database,
        lifetime=timedelta(hours=settings.idempotency_hours),
        lease=timedelta(seconds=settings.idempotency_lease_seconds),
    )
    once = Once(store, AnswerSeal(settings.service_secret))
    tasks = [asyncio.create_task(work) for work in (_drop_expired(store), once.renew_claims())]
    try:
        yield once
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _drop_expired(store: AnswerStore) -> None:
    """At once and then every minute, for ever: delete answers whose time is over."""
    while True:
        try:
            while await store.drop_expired(before=now(), limit=AT_ONCE) == AT_ONCE:
                pass
        except Unavailable as error:
            log.warning("cleaning_failed", error=error.detail)
        await asyncio.sleep(SWEEP_SECONDS)
