"""Natural batching under every kind of traffic."""

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from support.polling import eventually
from tidings.kit.batching import Batcher


class Flush:
    """A flush that doubles what it is given, waits for `gate`, and fails as it is told."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        if is_open:
            self.gate.set()

    async def __call__(self, items: list[int]) -> Sequence[int | BaseException]:
        self.batches.append(items)
        await self.gate.wait()
        if -1 in items:
            raise ConnectionError("the whole flush failed")
        return [ValueError(f"{item} is odd") if item % 2 else item * 2 for item in items]


@given(
    bursts=st.lists(st.lists(st.integers(0, 1_000).map(lambda n: n * 2), max_size=20), max_size=8),
    max_size=st.integers(1, 7),
)
async def test_every_item_is_answered_once_and_in_order(bursts: list[list[int]], max_size: int) -> None:
    """However calls arrive, each gets its own answer and is flushed exactly once, first come first served."""
    flush = Flush()
    batcher = Batcher(flush, max_size=max_size)
    tasks: list[asyncio.Task[int]] = []
    for burst in bursts:
        tasks += [asyncio.create_task(batcher.submit(item)) for item in burst]
        await asyncio.sleep(0)
    items = [item for burst in bursts for item in burst]
    assert await asyncio.gather(*tasks) == [item * 2 for item in items]
    assert [item for batch in flush.batches for item in batch] == items
    assert all(len(batch) <= max_size for batch in flush.batches)


async def test_an_idle_batcher_flushes_at_once() -> None:
    """Calls that follow one another are flushed one by one: nothing waits for company."""
    flush = Flush()
    batcher = Batcher(flush)
    assert [await batcher.submit(item) for item in (2, 4)] == [4, 8]
    assert flush.batches == [[2], [4]]


async def test_batches_form_while_a_flush_is_under_way() -> None:
    """What arrives during a flush makes up the next one, up to the largest size."""
    flush = Flush(is_open=False)
    batcher = Batcher(flush, max_size=3)
    tasks = [asyncio.create_task(batcher.submit(2))]
    await eventually(lambda: bool(flush.batches))
    tasks += [asyncio.create_task(batcher.submit(item)) for item in (4, 6, 8, 10)]
    await asyncio.sleep(0)
    flush.gate.set()
    assert await asyncio.gather(*tasks) == [4, 8, 12, 16, 20]
    assert flush.batches == [[2], [4, 6, 8], [10]]


async def test_an_error_of_one_item_reaches_its_caller_only() -> None:
    """An exception among the results is raised where its item came from; the others get their answers."""
    batcher = Batcher(Flush())
    results = await asyncio.gather(*(batcher.submit(item) for item in (2, 3, 4)), return_exceptions=True)
    assert [str(result) for result in results] == ["4", "3 is odd", "8"]


async def test_an_error_of_the_flush_reaches_everyone_in_it() -> None:
    """When the flush itself fails all its callers hear of it, and the next flush is unharmed."""
    batcher = Batcher(Flush())
    results = await asyncio.gather(*(batcher.submit(item) for item in (2, -1)), return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionError, ConnectionError]
    assert await batcher.submit(2) == 4


async def test_a_flush_that_answers_too_little_is_an_error() -> None:
    """A flush that breaks its promise of one answer per item leaves no caller waiting for ever."""

    async def forgetful(items: list[int]) -> Sequence[int]:
        return items[1:]

    batcher: Batcher[int, int] = Batcher(forgetful)
    async with asyncio.timeout(30):
        results = await asyncio.gather(*(batcher.submit(item) for item in (2, 4)), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError, ValueError]


async def test_a_cancelled_caller_harms_nobody() -> None:
    """A caller that goes away, before its flush or during it, takes nobody else's answer with it."""
    flush = Flush(is_open=False)
    batcher = Batcher(flush)
    in_flush = [asyncio.create_task(batcher.submit(item)) for item in (2, 4)]
    await eventually(lambda: bool(flush.batches))
    waiting = [asyncio.create_task(batcher.submit(item)) for item in (6, 8)]
    await asyncio.sleep(0)
    in_flush[0].cancel()
    waiting[0].cancel()
    flush.gate.set()
    assert [await in_flush[1], await waiting[1]] == [8, 16]


async def test_join_waits_for_all_that_was_handed_in() -> None:
    """After `join` nothing is left to flush; with nothing handed in it returns at once."""
    flush = Flush()
    batcher = Batcher(flush, max_size=1)
    await batcher.join()
    tasks = [asyncio.create_task(batcher.submit(item)) for item in (2, 4, 6)]
    await asyncio.sleep(0)
    await batcher.join()
    assert flush.batches == [[2], [4], [6]]
    assert await asyncio.gather(*tasks) == [4, 8, 12]
