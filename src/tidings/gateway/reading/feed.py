"""One reader of new steps in each gateway, and the streams that it hands them to."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

import asyncpg
import structlog

from tidings.gateway.reading.listening import listen
from tidings.gateway.reading.step_store import Position, StepStore
from tidings.gateway.reading.subscription import End, Subscription, Wants
from tidings.kit.errors import TooManyRequests, Unavailable

PAGE: Final = 500
UNHEARD_SECONDS: Final = 5.0
"""How often to look although nothing was heard."""
UNCERTAIN_SECONDS: Final = 0.02
"""How soon to look again for steps whose order was not certain: about as long as a transaction takes."""
DOWN_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Place:
    """One open stream in the count of its owner. Leaving it twice is leaving it once."""

    def __init__(self, places: Counter[str], owner: str) -> None:
        self._places = places
        self._owner = owner
        self._taken = True
        places[owner] += 1

    def leave(self) -> None:
        """The stream has ended, or never began."""
        if self._taken:
            self._taken = False
            self._places -= Counter([self._owner])


class Feed:
    """Reads new steps once for all streams of this gateway, and not at all while there are none."""

    def __init__(self, store: StepStore, *, most: int) -> None:
        self._store = store
        self._most = most
        self._streams: set[Subscription] = set()
        self._places: Counter[str] = Counter()
        self._position: Position | None = None
        self._woken = asyncio.Event()
        self._stopped = False

    def take_place(self, owner: str) -> Place:
        """Count a stream of `owner` until it leaves its place.

        Raises:
            TooManyRequests: it has as many open here as it may have.
        """
        if self._places[owner] >= self._most:
            raise TooManyRequests(
                f"This API key has {self._most} event streams open. Close one, or share one among readers",
                code="too_many_streams",
                limit="event_streams",
                retry_after=10,
            )
        return Place(self._places, owner)

    @contextmanager
    def subscribed(self, wants: Wants) -> Iterator[Subscription]:
        """Everything wanted that is committed from now on, until the block ends."""
        subscription = Subscription(wants)
        if self._stopped:
            subscription.finish(End.SHUTDOWN)
        self._streams.add(subscription)
        try:
            yield subscription
        finally:
            self._streams.discard(subscription)

    async def present(self) -> Position:
        """The place after which the steps of a subscription made before this call are sure to come."""
        present = self._position or await self._store.present()
        if self._position is None:
            self._position = present
            self.wake()
        return self._position

    def wake(self) -> None:
        """There may be new steps."""
        self._woken.set()

    def end_streams(self) -> None:
        """The process is about to end: no stream may hold it up."""
        self._stopped = True
        for stream in self._streams:
            stream.finish(End.SHUTDOWN)

    async def run(self) -> None:
        """Hand out new steps for ever."""
        patience = UNHEARD_SECONDS
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._woken.wait()
            self._woken.clear()
            patience = await self._hand_out_if_possible()

    async def _hand_out_if_possible(self) -> float:
        if not self._streams:
            self._position = None  # the next stream begins at its own present
        if self._position is None:
            return UNHEARD_SECONDS
        try:
            behind = await self._hand_out(self._position)
        except (Unavailable, asyncpg.PostgresError) as error:
            log.warning("events_not_read", error=repr(error))
            return DOWN_SECONDS
        except Exception:
            # Whatever it is, the streams go on from where they are.
            log.exception("events_not_read")
            return DOWN_SECONDS
        return UNCERTAIN_SECONDS if behind else UNHEARD_SECONDS

    async def _hand_out(self, position: Position) -> bool:
        read = await self._store.after(position, limit=PAGE)
        for placed in read.steps:
            for stream in self._streams:
                stream.offer(placed)
            self._position = placed.position
        if len(read.steps) == PAGE:
            self.wake()
        return read.behind


@asynccontextmanager
async def open_feed(store: StepStore, url: str, *, most: int) -> AsyncIterator[Feed]:
    """A feed that follows the database at `url` for as long as the block runs.

    `most` is how many streams one owner may have open in this process.
    """
    feed = Feed(store, most=most)
    tasks = [asyncio.create_task(work) for work in (feed.run(), listen(url, feed.wake))]
    try:
        yield feed
    finally:
        feed.end_streams()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
