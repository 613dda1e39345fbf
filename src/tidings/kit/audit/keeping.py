"""How long an audit log is kept: entries whose days are over are dropped, some at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Annotated, Final

import asyncpg
import structlog
from msgspec import Meta
from prometheus_client import Counter

from tidings.kit.audit.store import AuditLog
from tidings.kit.database import Database
from tidings.kit.errors import Unavailable
from tidings.kit.ids import now

AuditRetentionDays = Annotated[
    int,
    Meta(
        ge=0,
        le=36_500,
        description="how many whole days (UTC) entries of the audit log are kept; 0: for ever",
        examples=["730"],
    ),
]

AGAIN_SECONDS: Final = 600.0
TRY_AGAIN_SECONDS: Final = 1.0
"""After the log was in use, or PostgreSQL did not answer."""
BATCH: Final = 2_000
"""Writers of the log wait while so many are dropped, which takes some 20 ms."""

DROPPED = Counter("tidings_audit_entries_dropped_total", "Entries older than the audit log is kept")

log = structlog.get_logger(__name__)


@asynccontextmanager
async def keeping_audit_log(database: Database, days: int) -> AsyncIterator[None]:
    """Drop what is older than `days` while the block runs, at once and then every ten minutes; 0: nothing.

    However many processes of a service do so, each entry is dropped, and told of, once.
    """
    if not days:
        yield
        return
    task = asyncio.create_task(_keep(AuditLog(database), timedelta(days=days)))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _keep(audit_log: AuditLog, kept: timedelta) -> None:
    while True:
        # Whole days: what tells of the entries that were dropped is then one entry a day, not one each time.
        today = now().replace(hour=0, minute=0, second=0, microsecond=0)
        done = await _drop(audit_log, today - kept)
        await asyncio.sleep(AGAIN_SECONDS if done else TRY_AGAIN_SECONDS)


async def _drop(audit_log: AuditLog, oldest: datetime) -> bool:
    """Drop all from before `oldest`; False when that has to wait."""
    try:
        while count := await audit_log.drop(before=oldest, limit=BATCH):
            DROPPED.inc(count)
            log.info("audit_entries_dropped", count=count)
    except (Unavailable, asyncpg.PostgresError) as error:
        log.warning("audit_retention_waits", error=str(error))
        return False
    except Exception:
        log.exception("audit_retention_failed")
        return False
    return True
