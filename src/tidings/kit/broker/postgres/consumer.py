"""Consuming: one loop that settles, claims and waits for a wake-up, on a session of its own."""

import asyncio
from contextlib import suppress
from functools import partial

import structlog

from tidings.kit.broker.deadletters import HANDOUT_LIMIT, handed_out_too_often
from tidings.kit.broker.handling import Handling
from tidings.kit.broker.port import Delivery, Handler
from tidings.kit.broker.postgres.session import TROUBLE, Session, open_session
from tidings.kit.broker.postgres.store import Claimed

_POLL = 1.0  # for what no notification announces: delays of other consumers, and the dead's messages
_SHORTEST_WAIT = 0.01  # a due message that another consumer is just claiming
_RENEW_INTERVAL = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0
_FLUSH_LIMIT = 5.0

_log = structlog.get_logger(__name__)


class PostgresConsumer:
    """One queue's consumption, from its making until `stop`."""

    def __init__(
        self, url: str, *, queue: str, failed_queue: str, handler: Handler, concurrency: int
    ) -> None:
        self._url = url
        self._queue = queue
        self._failed_queue = failed_queue
        self._concurrency = concurrency
        self._handling = Handling(queue, handler, concurrency)
        self._session: Session | None = None
        self._stopping = False
        self._finished = asyncio.Event()
        self._reclaim_at = self._renew_at = 0.0
        self._loop = asyncio.create_task(self._keep_consuming())

    @property
    def in_flight(self) -> int:
        """Handlers running now."""
        return self._handling.in_flight

    async def stop(self, *, limit: float) -> None:
        """Take no more work, let running handlers finish for `limit` seconds, hand the rest back."""
        self._stopping = True
        await self._handling.stop(limit=limit)
        self._finished.set()
        if self._session is not None:
            self._session.wake.set()
            await asyncio.wait([self._loop], timeout=_FLUSH_LIMIT)
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)

    async def _keep_consuming(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping:
            try:
                async with open_session(self._url, self._queue, self._failed_queue) as session:
                    self._session = session
                    _log.info("consumer_started", queue=self._queue, concurrency=self._concurrency)
                    pause = _FIRST_PAUSE
                    await self._pump(session)
                return
            except TROUBLE as error:
                _log.warning(
                    "consumer_waits_for_broker", queue=self._queue, error=repr(error), retry_in=pause
                )
            except Exception:  # noqa: BLE001 - a consumer that ends in silence is worse than one that goes on
                _log.exception("consumer_session_failed", queue=self._queue, retry_in=pause)
            finally:
                self._session = None
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _pump(self, session: Session) -> None:
        while True:
            session.wake.clear()
            await session.flush()
            if self._finished.is_set():
                return
            await self._keep_house(session)
            wait = _POLL if self._stopping else await self._claim(session)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await session.wake.wait()

    async def _claim(self, session: Session) -> float:
        """Start handlers for as many messages as there are free places; seconds until the next look."""
        free = self._concurrency - session.held
        if not free:
            return _POLL
        claimed = await session.claim(free)
        for message in claimed:
            self._start(session, message)
        if len(claimed) == free:
            return _POLL
        due = await session.next_due()
        return _POLL if due is None else min(max(due, _SHORTEST_WAIT), _POLL)

    def _start(self, session: Session, claimed: Claimed) -> None:
        delivery = Delivery(self._queue, claimed.message, claimed.attempt, redelivered=claimed.hand_outs > 1)
        if claimed.hand_outs > HANDOUT_LIMIT and self._queue != self._failed_queue:
            session.settle_soon(claimed.seq, delivery, handed_out_too_often())
        else:
            self._handling.start(delivery, partial(session.settle, claimed.seq, delivery))

    async def _keep_house(self, session: Session) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._reclaim_at:
            self._reclaim_at = now + _POLL
            await session.reclaim()
        if now >= self._renew_at:
            self._renew_at = now + _RENEW_INTERVAL
            await session.renew()
