"""Which owners want which events: asked for every event of every notification, so kept in memory."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import structlog

from tidings.contracts.callbacks import EventType
from tidings.contracts.codes import Channel
from tidings.gateway.callbacks.store import EndpointStore, Subscription
from tidings.kit.errors import Unavailable

REFRESH_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


class Subscriptions:
    """All endpoints as of at most 2 s ago, and at once for changes made through this gateway."""

    def __init__(self, store: EndpointStore) -> None:
        self._store = store
        self._by_owner: dict[str, Sequence[Subscription]] = {}
        self._begun = self._newest = 0

    @property
    def owners(self) -> list[str]:
        """Who has endpoints."""
        return list(self._by_owner)

    def wanted(self, owner: str, event: EventType, channel: Channel) -> list[Subscription]:
        """The endpoints of `owner` that chose this event."""
        return [one for one in self._by_owner.get(owner, ()) if one.wants(event, channel)]

    async def refresh(self) -> None:
        """Read them anew.

        Raises:
            Unavailable: the database does not answer; what was known stays.
        """
        self._begun += 1
        number = self._begun
        found: defaultdict[str, list[Subscription]] = defaultdict(list)
        for one in await self._store.subscriptions():
            found[one.owner].append(one)
        # One that began earlier may be slower, and would bring back what was before a change.
        if number > self._newest:
            self._newest, self._by_owner = number, dict(found)

    async def try_refresh(self) -> None:
        """Read them anew if the database answers: after a change that is committed, or the next time."""
        try:
            await self.refresh()
        except Unavailable as error:
            log.warning("subscriptions_not_refreshed", error=error.detail)
