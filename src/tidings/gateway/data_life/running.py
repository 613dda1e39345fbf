"""The life of data, at work in one gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from tidings.client.users import UsersClient
from tidings.gateway.callbacks.outbox import CallbackOutbox
from tidings.gateway.data_life.erasing import ErasureFollower
from tidings.gateway.data_life.erasure_store import ErasureStore
from tidings.gateway.data_life.keeping import Keeper, Terms
from tidings.gateway.data_life.partition_store import PartitionStore
from tidings.gateway.data_life.redaction_store import RedactionStore
from tidings.gateway.data_life.retention_store import RetentionStore
from tidings.gateway.settings import GatewaySettings
from tidings.kit.database import Database


@asynccontextmanager
async def living(
    settings: GatewaySettings, database: Database, outbox: CallbackOutbox, users: UsersClient
) -> AsyncIterator[None]:
    """Make partitions first; then see to all of it for as long as the block runs."""
    keeper = Keeper(
        PartitionStore(database), RetentionStore(database), RedactionStore(database), _terms(settings)
    )
    follower = ErasureFollower(ErasureStore(database, outbox), users, seconds=settings.erasure_seconds)
    await keeper.make_partitions()
    tasks = [asyncio.create_task(work) for work in (keeper.keep(), follower.follow())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _terms(settings: GatewaySettings) -> Terms:
    return Terms(
        retention=timedelta(days=settings.retention_days) if settings.retention_days else None,
        redact_after=timedelta(days=settings.redact_after_days) if settings.redact_after_days else None,
    )
