"""Batches taken as far as they go without a trace: each notification for itself, a few at a time."""

import asyncio
from collections import Counter

import msgspec

from tidings.contracts.batches import DryBatch, DryBatchItem, NewBatch
from tidings.contracts.explaining import DryRun, Would
from tidings.gateway.batching.items import key_within, read_item, shared_members
from tidings.gateway.explaining.dry_runs import DryRuns
from tidings.gateway.explaining.outlook import refused
from tidings.gateway.limits.tally import Tally
from tidings.kit.auth import Principal
from tidings.kit.errors import Unprocessable

AT_ONCE = 8
"""Of all batches together: the workers that are asked, and our connections, have other work too."""


class DryBatches:
    """Runs batches dry. A batch counts as one request against the caller's limits, and as nothing else."""

    def __init__(self, dry_runs: DryRuns) -> None:
        self._dry_runs = dry_runs
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def run(
        self, batch: NewBatch, idempotency_key: str | None, caller: Principal, tally: Tally
    ) -> DryBatch:
        """What would become of each notification now; its key is as in `take_batch`.

        Raises:
            Unprocessable: the batch as a whole cannot be read.
            TooManyRequests: the caller asks too often.
            Unavailable: the database does not answer.
        """
        shared = shared_members(batch)
        await tally.count_request()

        async def look(item: object, index: int) -> DryRun:
            try:
                request = read_item(item, shared)
            except Unprocessable as error:
                return refused([], error)
            key = key_within(idempotency_key, index, request)
            return await self._dry_runs.run(request, key, caller, tally)

        items: dict[int, DryBatchItem] = {}
        waiting = iter(enumerate(batch.notifications))

        async def work() -> None:
            for index, item in waiting:
                async with self._turns:
                    said = await look(item, index)
                items[index] = DryBatchItem(index=index, **msgspec.structs.asdict(said))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(work())
        except ExceptionGroup as errors:
            # The first outage has ended the others.
            raise errors.exceptions[0] from errors
        return _answer([items[index] for index in range(len(items))])


def _answer(items: list[DryBatchItem]) -> DryBatch:
    counts = Counter(item.would for item in items)
    return DryBatch(
        send=counts[Would.SEND],
        wait=counts[Would.WAIT],
        not_send=counts[Would.NOT_SEND],
        unknown=counts[Would.UNKNOWN],
        items=items,
    )
