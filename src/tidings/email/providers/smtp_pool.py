"""SMTP connections kept open between emails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import Final

from prometheus_client import Counter, Gauge

from tidings.contracts.codes import Priority
from tidings.email.providers.smtp_errors import SmtpError
from tidings.email.providers.smtp_login import Login
from tidings.email.providers.smtp_server import Server
from tidings.email.providers.smtp_session import SmtpSession

IDLE_SECONDS: Final = 30.0
UNPROBED_SECONDS: Final = 1.0
EMAILS_PER_CONNECTION: Final = 100

CONNECTIONS = Gauge(
    "tidings_smtp_connections",
    "Connections open, those of them in use, and emails that wait for one",
    ["provider", "state"],
)
CONNECTS = Counter(
    "tidings_smtp_connects_total", "Attempts to connect, greet and log in", ["provider", "outcome"]
)


class Kept:
    """A connection and what decides whether it is used again."""

    def __init__(self, session: SmtpSession) -> None:
        self.session = session
        self.emails = 0
        self.clean = True
        self._idle_since = monotonic()

    @property
    def fresh(self) -> bool:
        """Whether no email has gone over it yet."""
        return not self.emails

    def rest(self) -> None:
        """An email is done with."""
        self.emails += 1
        self._idle_since = monotonic()

    async def ready(self) -> bool:
        """Whether the next email may go over it."""
        idle = monotonic() - self._idle_since
        if not self.session.usable or self.emails >= EMAILS_PER_CONNECTION or idle > IDLE_SECONDS:
            return False
        if self.clean and idle < UNPROBED_SECONDS:
            return True
        # RSET ends a half-done email, and is the liveness probe: a stale connection is found out
        # before MAIL, where trying another one is safe.
        try:
            await self.session.reset()
        except SmtpError:
            return False
        self.clean = True
        return True


class SmtpPool:
    """At most `size` connections; the one used last is used first.

    Bulk emails may have half of them, bulk and normal ones together three quarters: a critical email does not
    wait until one of theirs is done with. A pool too small to be divided is shared.

    A connection on which every command was answered is used again, after RSET unless the email on it
    was finished. Any other is closed.
    """

    def __init__(self, name: str, server: Server, login: Login | None, *, size: int, seconds: float) -> None:
        self._server = server
        self._login = login
        self._seconds = seconds
        every, ordinary, bulk = map(asyncio.Semaphore, (size, size - size // 4, size - size // 2))
        # From the narrowest on: who still waits for one must not hold a wider one meanwhile.
        self._places = {
            Priority.CRITICAL: (every,),
            Priority.NORMAL: (ordinary, every),
            Priority.BULK: (bulk, ordinary, every),
        }
        self._idle: list[Kept] = []
        self._closed = False
        self._open, self._in_use, self._waiting = (
            CONNECTIONS.labels(name, state) for state in ("open", "in_use", "waiting")
        )
        self._connected, self._failed = (CONNECTS.labels(name, outcome) for outcome in ("ok", "failed"))

    @asynccontextmanager
    async def connection(self, lane: Priority, *, fresh: bool = False) -> AsyncIterator[Kept]:
        """A greeted, encrypted and logged-in connection, ready for MAIL; with `fresh`, a new one.

        It is to be marked as not `clean` as long as an email on it is half done.

        Raises:
            SmtpError: none could be made.
        """
        async with self._place(lane):
            with self._in_use.track_inprogress():
                kept = await self._connect() if fresh else await self._take()
                try:
                    yield kept
                finally:
                    self._give_back(kept)

    async def close(self) -> None:
        """Say goodbye on every idle connection; those in use end with their email."""
        self._closed = True
        idle, self._idle = self._idle, []
        self._open.dec(len(idle))
        await asyncio.gather(*(kept.session.quit() for kept in idle))

    @asynccontextmanager
    async def _place(self, lane: Priority) -> AsyncIterator[None]:
        async with AsyncExitStack() as places:
            with self._waiting.track_inprogress():
                for place in self._places[lane]:
                    await places.enter_async_context(place)
            yield

    async def _take(self) -> Kept:
        while self._idle:
            kept = self._idle.pop()
            try:
                ready = await kept.ready()
            except BaseException:
                self._drop(kept)
                raise
            if ready:
                return kept
            self._open.dec()
            await kept.session.quit()
        return await self._connect()

    async def _connect(self) -> Kept:
        try:
            session = await SmtpSession.open(self._server, self._login, self._seconds)
        except BaseException:
            self._failed.inc()
            raise
        self._connected.inc()
        self._open.inc()
        return Kept(session)

    def _give_back(self, kept: Kept) -> None:
        kept.rest()
        if kept.session.usable and not self._closed:
            self._idle.append(kept)
        else:
            self._drop(kept)

    def _drop(self, kept: Kept) -> None:
        self._open.dec()
        kept.session.abort()
