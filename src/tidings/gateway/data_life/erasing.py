"""Following the user service: who is erased there has no history here."""

import asyncio
from datetime import timedelta

import asyncpg
import structlog
from prometheus_client import Counter

from tidings.client.http import RemoteProblem, RemoteUnavailable
from tidings.client.users import UsersClient
from tidings.gateway.data_life.erasure_store import ErasureStore
from tidings.kit.errors import Unavailable

ERASED = Counter("tidings_erased_total", "What was done for people who were erased", ["what"])

log = structlog.get_logger(__name__)


class ErasureFollower:
    """Hears of erasures and applies them. `seconds` is how often it asks."""

    def __init__(self, store: ErasureStore, users: UsersClient, *, seconds: float) -> None:
        self._store = store
        self._users = users
        self._seconds = seconds

    async def follow(self) -> None:
        """For ever. Whichever of the two services is away, the other waits for it."""
        while True:
            for work in (self._hear, self._apply):
                try:
                    await work()
                except (RemoteUnavailable, RemoteProblem, Unavailable, asyncpg.PostgresError) as error:
                    log.warning("erasures_wait", error=str(error))
                except Exception:
                    # Whatever it is, what is left is done the next time.
                    log.exception("erasing_failed")
            await asyncio.sleep(self._seconds)

    async def _hear(self) -> None:
        while True:
            page = await self._users.erasures(after=await self._store.heard_up_to())
            if not page.erasures:
                return
            await self._store.hear(page.erasures)

    async def _apply(self) -> None:
        pause = timedelta(seconds=self._seconds)
        while done := await self._store.apply_next(unsettled_after=pause):
            ERASED.labels("notifications_cancelled").inc(done.cancelled)
            ERASED.labels("notifications_redacted").inc(done.redacted)
            if done.first:
                log.info("history_erased", user_id=str(done.user_id))
