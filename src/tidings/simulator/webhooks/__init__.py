"""What email providers report afterwards: events, each in its provider's format and signed as it signs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Router

from tidings.simulator.webhooks.api import webhook_routes
from tidings.simulator.webhooks.courier import Courier
from tidings.simulator.webhooks.keys import SigningKeys
from tidings.simulator.webhooks.sns import Sns, sns_routes
from tidings.simulator.webhooks.storm import Storms

__all__ = ["Webhooks"]


class Webhooks:
    """Everything that reports events. `own_url` is the simulator's address, `rsa_pem` its private key."""

    def __init__(self, own_url: str, rsa_pem: str) -> None:
        keys = SigningKeys(rsa_pem)
        sns = Sns(own_url, keys)
        self.courier = Courier(keys, sns)
        self._storms = Storms(self.courier)
        self.provides: dict[str, object] = {
            "courier": self.courier,
            "signing_keys": keys,
            "sns": sns,
            "storms": self._storms,
        }

    def routes(self) -> list[Router]:
        """The simulator's own API for events, and the pages of SNS."""
        return [webhook_routes(), sns_routes()]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Report events while the context is open."""
        async with self.courier.running():
            try:
                yield
            finally:
                await self._storms.end()
