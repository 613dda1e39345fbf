"""SMTP connections kept open between emails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Final

import aiosmtplib

from tidings.email.settings import EmailSettings

IDLE_SECONDS: Final = 30.0
UNPROBED_SECONDS: Final = 1.0
EMAILS_PER_CONNECTION: Final = 100
CLOSING: Final = 421


class _Kept:
    """A connection and what decides whether it is used again."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self.client = client
        self.emails = 0
        self.idle_since = monotonic()
        self.in_step = True

    async def usable(self) -> bool:
        idle = monotonic() - self.idle_since
        if not self.client.is_connected or self.emails >= EMAILS_PER_CONNECTION or idle > IDLE_SECONDS:
            return False
        if self.in_step and idle < UNPROBED_SECONDS:
            return True
        # RSET ends a half-done transaction, and is the liveness probe: a stale connection is found
        # out before MAIL, where trying another one is safe.
        with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            await self.client.rset()
            return True
        return False


class SmtpPool:
    """At most `smtp_connections` connections; the one used last is used first.

    After a refusal the connection is reset and used again; after any other error it is closed.
    """

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.smtp_connections)
        self._idle: list[_Kept] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """A greeted, encrypted and logged-in connection, ready for MAIL.

        Raises:
            SMTPException, OSError, TimeoutError: none could be made.
        """
        async with self._slots:
            kept = await self._take()
            try:
                yield kept.client
            except aiosmtplib.SMTPResponseException as reply:
                kept.in_step = False
                await (_close(kept) if reply.code == CLOSING else self._keep(kept))
                raise
            except BaseException:
                await _close(kept)
                raise
            kept.in_step = True
            await self._keep(kept)

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        while self._idle:
            await _close(self._idle.pop())

    async def _keep(self, kept: _Kept) -> None:
        kept.emails += 1
        kept.idle_since = monotonic()
        self._idle.append(kept)

    async def _take(self) -> _Kept:
        while self._idle:
            kept = self._idle.pop()
            if await kept.usable():
                return kept
            await _close(kept)
        settings = self._settings
        client = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            timeout=settings.smtp_seconds,
            use_tls=settings.smtp_tls == "implicit",
            start_tls=settings.smtp_tls == "starttls",
            username=settings.smtp_username,
            password=settings.smtp_password,
        )
        await client.connect()
        return _Kept(client)


async def _close(kept: _Kept) -> None:
    with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        async with asyncio.timeout(1):
            await kept.client.quit()
    kept.client.close()
