"""Natural batching: while one flush is under way the next batch collects. No timers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

I = TypeVar("I")  # noqa: E741 - the item
O = TypeVar("O")  # noqa: E741 - what the flush answers for it


class Batcher(Generic[I, O]):
    """Turn many concurrent calls into few batched ones.

    An idle batcher flushes at once, so it adds no latency; under load the batch grows to
    whatever arrived during the last flush, up to `max_size` items. `flush` answers one result
    per item in order; an exception among the results is raised to that item's caller only, an
    exception raised by `flush` to all of them.
    """

    def __init__(
        self, flush: Callable[[list[I]], Awaitable[Sequence[O | BaseException]]], *, max_size: int = 500
    ) -> None:
        self._flush = flush
        self._max_size = max_size
        self._waiting: list[tuple[I, asyncio.Future[O]]] = []
        self._running: asyncio.Task[None] | None = None

    async def submit(self, item: I) -> O:
        """Hand in an item and wait for its result."""
        future: asyncio.Future[O] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._drain())
        return await future

    async def join(self) -> None:
        """Wait until everything handed in so far is flushed."""
        while self._running is not None:
            await asyncio.wait([self._running])

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._max_size], self._waiting[self._max_size :]
                await self._flush_batch(batch)
        finally:
            self._running = None

    async def _flush_batch(self, batch: list[tuple[I, asyncio.Future[O]]]) -> None:
        results: Sequence[O | BaseException]
        try:
            results = await self._flush([item for item, _ in batch])
            if len(results) != len(batch):
                raise ValueError(f"The flush answered {len(results)} results for {len(batch)} items")  # noqa: TRY301 - for the callers too
        except Exception as error:  # noqa: BLE001 - it belongs to every waiting caller
            results = [error] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():  # its caller was cancelled
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
