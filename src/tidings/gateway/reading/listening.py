"""Hearing from PostgreSQL that there are new events, whichever gateway wrote them."""

import asyncio
from collections.abc import Callable
from typing import Final

import asyncpg
import structlog

CHANNEL: Final = "tidings_events"
RECONNECT_SECONDS: Final = 1.0

_LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that ends in the middle of an answer
)

log = structlog.get_logger(__name__)


async def listen(url: str, wake: Callable[[], None]) -> None:
    """Call `wake` at each notification, and after each time that some may have been missed. Never ends."""
    while True:
        try:
            await _listen_once(url, wake)
        except _LOST as error:
            log.warning("events_not_heard", error=repr(error))
        await asyncio.sleep(RECONNECT_SECONDS)


async def _listen_once(url: str, wake: Callable[[], None]) -> None:
    lost = asyncio.Event()
    connection = await asyncpg.connect(
        url, timeout=5, server_settings={"application_name": "tidings-gateway-events"}
    )
    try:
        connection.add_termination_listener(lambda _connection: lost.set())
        await connection.add_listener(CHANNEL, lambda *_: wake())
        wake()
        await lost.wait()
    finally:
        connection.terminate()
