"""One connection of one consumer: it owns what it claims for as long as it lives."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import asyncpg

from tidings.kit.broker.deadletters import dead_letter_headers
from tidings.kit.broker.port import Acknowledge, DeadLetter, Delay, Delivery, HandBack, Settlement
from tidings.kit.broker.postgres import store
from tidings.kit.broker.postgres.schema import Connection, ensure_schema

TROUBLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that ends in the middle of an answer
)
"""What a database that is away, starting, stopping or failing over raises."""

_ANSWER_LIMIT = 10.0
_CLOSE_LIMIT = 3.0
_SETTINGS = {"application_name": "tidings-broker"}


@dataclass(frozen=True, slots=True)
class _Due:
    """A settlement that waits for the next flush."""

    seq: int
    delivery: Delivery
    settlement: Settlement
    done: asyncio.Future[bool]


class Session:
    """Claims messages of one queue and settles them, many in one statement.

    Only one task may claim and flush; any may settle.
    """

    def __init__(self, connection: Connection, queue: str, failed_queue: str, owner: int) -> None:
        self.wake = asyncio.Event()
        self.owner = owner
        self._connection = connection
        self._queue = queue
        self._failed_queue = failed_queue
        self._held: set[int] = set()
        self._due: list[_Due] = []
        self._lost = False

    @property
    def held(self) -> int:
        """Messages handed out to us and not settled yet."""
        return len(self._held)

    async def claim(self, limit: int) -> list[store.Claimed]:
        """Take up to `limit` messages."""
        claimed = await store.claim(self._connection, self._queue, self.owner, limit)
        self._held.update(message.seq for message in claimed)
        return claimed

    async def next_due(self) -> float | None:
        """Seconds until the next delayed message is due; None when there is none."""
        return await store.next_due(self._connection, self._queue)

    async def settle(self, seq: int, delivery: Delivery, settlement: Settlement) -> bool:
        """Settle with the next flush. False when the session ends before: the message comes again."""
        return not self._lost and await self.settle_soon(seq, delivery, settlement)

    def settle_soon(self, seq: int, delivery: Delivery, settlement: Settlement) -> asyncio.Future[bool]:
        """Settle with the next flush, without waiting for it."""
        due = _Due(seq, delivery, settlement, asyncio.get_running_loop().create_future())
        self._due.append(due)
        self.wake.set()
        return due.done

    async def flush(self) -> None:
        """Settle what is due."""
        if not self._due:
            return
        batch, self._due = self._due, []
        settled = False
        try:
            await self._write(batch)
            settled = True
        finally:
            for due in batch:
                self._held.discard(due.seq)
                if not due.done.done():
                    due.done.set_result(settled)

    async def renew(self) -> None:
        """Keep what we hold."""
        await store.renew(self._connection, self._queue, self.owner)

    async def reclaim(self) -> None:
        """Put back what dead consumers of the queue held."""
        await store.reclaim(self._connection, self._queue)

    def lose(self, *_: object) -> None:
        """The connection is gone; what was not settled is handed out again."""
        self._lost = True
        for due in self._due:
            if not due.done.done():
                due.done.set_result(False)
        self._due.clear()
        self.wake.set()

    def notice(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        """A publisher or another consumer made a message available."""
        if payload == self._queue:
            self.wake.set()

    async def _write(self, batch: list[_Due]) -> None:
        acknowledged, returned = [], []
        waits: list[tuple[int, float, int]] = []
        letters: list[tuple[int, dict[str, str]]] = []
        for due in batch:
            match due.settlement:
                case Acknowledge():
                    acknowledged.append(due.seq)
                case HandBack():
                    returned.append(due.seq)
                case Delay(seconds, counted):
                    waits.append((due.seq, max(seconds, 0.0), due.delivery.attempt + counted))
                case DeadLetter() as why:
                    letters.append((due.seq, dead_letter_headers(due.delivery, why)))
        if acknowledged:
            await store.acknowledge(self._connection, self.owner, acknowledged)
        if returned:
            await store.hand_back(self._connection, self.owner, returned)
        if waits:
            await store.delay(self._connection, self.owner, waits)
        if letters:
            await store.dead_letter(self._connection, self.owner, self._failed_queue, letters)


@asynccontextmanager
async def open_session(url: str, queue: str, failed_queue: str) -> AsyncIterator[Session]:
    """Connect, listen to the queue and show other consumers that this owner lives.

    Raises:
        TROUBLE: no connection.
    """
    connection: Connection = await asyncpg.connect(
        url, timeout=_ANSWER_LIMIT, command_timeout=_ANSWER_LIMIT, server_settings=_SETTINGS
    )
    session = Session(connection, queue, failed_queue, owner=secrets.randbits(62))
    connection.add_termination_listener(session.lose)
    try:
        await ensure_schema(connection)
        await store.take_ownership(connection, session.owner)
        await connection.add_listener(store.CHANNEL, session.notice)
        yield session
    finally:
        session.lose()
        with suppress(*TROUBLE):
            await connection.close(timeout=_CLOSE_LIMIT)
