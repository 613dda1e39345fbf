"""Requests to one server over one kept connection, and what became of those without an answer."""

import asyncio
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from tidings.contracts.codes import ErrorOwner
from tidings.delivery.outcome import Refused
from tidings.push.providers.apns.connection import Connection, Lost, Unprocessed
from tidings.push.providers.calling import MAX_CONNECT_SECONDS, Reply

TRIES = 2
"""What the server surely did not begin with is sent once more, on a new connection."""


class Transport:
    """Posts to one server. Apple wants the connection kept, and takes many requests on it side by side."""

    def __init__(self, provider: str, url: str, seconds: float) -> None:
        self._provider = provider
        self._seconds = seconds
        parts = urlsplit(url)
        self._scheme, self._authority = parts.scheme, parts.netloc
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = _tls() if parts.scheme == "https" else None
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()

    async def post(self, path: str, *, body: bytes, headers: Mapping[str, str]) -> Reply | Refused:
        """One request. What surely was not processed is an outage, what may have been is ambiguous."""
        unprocessed: Exception | None = None
        for _ in range(TRIES):
            try:
                connection = await self._ready()
            except (OSError, TimeoutError) as error:
                return Refused(self._provider, ErrorOwner.OUTAGE, f"APNs cannot be reached: {error!r}")
            try:
                return await connection.request(path, headers, body, seconds=self._seconds)
            except Unprocessed as error:
                unprocessed = error
            except Lost as error:
                return Refused(self._provider, ErrorOwner.AMBIGUOUS, f"The answer was lost: {error}")
        return Refused(self._provider, ErrorOwner.OUTAGE, f"APNs took no request: {unprocessed}")

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()

    async def _ready(self) -> Connection:
        async with self._connecting:
            if self._connection is None or not self._connection.takes_more:
                self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(min(MAX_CONNECT_SECONDS, self._seconds)):
            transport, connection = await loop.create_connection(
                lambda: Connection(self._scheme, self._authority), self._host, self._port, ssl=self._tls
            )
            try:
                await connection.ready
            except BaseException:
                transport.abort()
                raise
        return connection


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    return context
