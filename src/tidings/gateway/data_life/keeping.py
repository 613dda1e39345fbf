"""What every gateway sees to from time to time: partitions ahead, retention, redaction.

However many gateways there are, what one is doing the others leave alone or find done; what one
leaves when it is killed, another takes up.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Counter, Gauge

from tidings.gateway.data_life.partition_store import Busy, Partition, PartitionStore
from tidings.gateway.data_life.redaction_store import RedactionStore
from tidings.gateway.data_life.retention_store import RetentionStore
from tidings.gateway.data_life.weeks import Week, first_id
from tidings.kit.errors import Unavailable
from tidings.kit.ids import now

WEEKS_AHEAD: Final = 4
AGAIN_SECONDS: Final = 600.0
TRY_AGAIN_SECONDS: Final = 1.0
"""After something failed, or was in use."""
BATCH: Final = 500
FILES_BATCH: Final = 20
"""Each may have 10 MiB."""
COUNTED_OUTSIDE: Final = 10_000
_NIL: Final = UUID(int=0)

DROPPED = Counter("tidings_partitions_dropped_total", "Partitions of notifications dropped whole")
REMOVED = Counter("tidings_removed_total", "What was older than it is kept", ["what"])
REDACTED = Counter("tidings_redacted_total", "What was looked at for redaction, once old enough", ["what"])
OUTSIDE = Gauge(
    "tidings_notifications_outside_partitions",
    "Notifications whose ids are of no week there is a partition of, counted up to 10,000",
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """How long notifications are kept, and how long with what they said; None: for ever."""

    retention: timedelta | None
    redact_after: timedelta | None


class Keeper:
    """Does all of it once, or for ever."""

    def __init__(
        self,
        partitions: PartitionStore,
        retention: RetentionStore,
        redaction: RedactionStore,
        terms: Terms,
    ) -> None:
        self._partitions = partitions
        self._retention = retention
        self._redaction = redaction
        self._terms = terms

    async def keep(self) -> None:
        """For ever, at once and then every ten minutes."""
        while True:
            done = await self._kept_once()
            await asyncio.sleep(AGAIN_SECONDS if done else TRY_AGAIN_SECONDS)

    async def make_partitions(self) -> bool:
        """Make those of this week and the next four; False when that has to wait.

        What comes in meanwhile is kept in the default partition, and moves over later.
        """
        try:
            made = await self._partitions.make([*Week.of(now()).following(WEEKS_AHEAD)])
            outside = await self._partitions.rows_outside(COUNTED_OUTSIDE)
        except (Busy, Unavailable, asyncpg.PostgresError) as error:
            log.warning("partitions_wait", error=str(error))
            return False
        OUTSIDE.set(outside)
        if made:
            log.info("partitions_made", weeks=[week.suffix for week in made])
        if outside:
            log.warning(
                "notifications_outside_partitions",
                count=outside,
                advice="ids are made from the time, so compare the clocks of the machines",
            )
        return True

    async def _kept_once(self) -> bool:
        try:
            done = await self.make_partitions()
            if self._terms.retention is not None:
                done &= await self._retain(now() - self._terms.retention)
            if self._terms.redact_after is not None:
                await self._redact(now() - self._terms.redact_after)
        except (Unavailable, asyncpg.PostgresError) as error:
            log.warning("data_life_waits", error=str(error))
            return False
        except Exception:
            log.exception("data_life_failed")
            return False
        return done

    async def _retain(self, oldest: datetime) -> bool:
        done = True
        for partition in await self._partitions.partitions():
            if partition.end is not None and partition.end <= first_id(oldest):
                done &= await self._drop(partition, oldest)
            elif partition.first is None:
                # It holds more than a week; what is too old in a week's waits until all of it is.
                await self._remove_rows(partition, oldest)
        for what, remove, size in (
            ("dead_letters", self._retention.remove_dead_letters, BATCH),
            ("attachments", self._retention.remove_attachments, FILES_BATCH),
            ("replay_jobs", self._retention.remove_replay_jobs, BATCH),
            ("schedules", self._retention.remove_schedules, BATCH),
        ):
            await _to_the_end(REMOVED.labels(what), remove, oldest, size)
        return done

    async def _drop(self, partition: Partition, oldest: datetime) -> bool:
        """Drop it, or what may go of it; False when it is in use."""
        try:
            count = await self._partitions.drop(partition, unchanged_since=oldest)
        except Busy as error:
            log.info("partition_in_use", partition=partition.suffix, error=str(error))
            return False
        if count is None:
            await self._remove_rows(partition, oldest)
        else:
            DROPPED.inc()
            REMOVED.labels("notifications").inc(count)
            log.info("partition_dropped", partition=partition.suffix, notifications=count)
        return True

    async def _remove_rows(self, partition: Partition, oldest: datetime) -> None:
        after: UUID | None = _NIL
        count = 0
        while after is not None:
            removal = await self._retention.remove_settled(
                partition, older_than=oldest, after=after, limit=BATCH
            )
            REMOVED.labels("notifications").inc(removal.count)
            count, after = count + removal.count, removal.after
        if count:
            log.info("notifications_removed", partition=partition.suffix, count=count)

    async def _redact(self, oldest: datetime) -> None:
        while count := await self._redaction.redact_notifications(oldest, limit=BATCH):
            REDACTED.labels("notifications").inc(count)
        while count := await self._redaction.redact_put_off(limit=BATCH):
            REDACTED.labels("notifications").inc(count)
        await _to_the_end(REDACTED.labels("dead_letters"), self._redaction.redact_dead_letters, oldest, BATCH)


async def _to_the_end(
    counter: Counter, work: Callable[..., Awaitable[int]], oldest: datetime, size: int
) -> None:
    """Batch after batch, until one is not full."""
    count = size
    while count == size:
        count = await work(oldest, limit=size)
        counter.inc(count)
