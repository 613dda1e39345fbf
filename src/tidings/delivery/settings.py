"""What both channels are told."""

from typing import Annotated

from msgspec import Meta

from tidings.client.settings import TemplatesUrl, UsersUrl
from tidings.contracts.codes import Priority
from tidings.contracts.queues import RETRY_DELAYS, RetryDelays
from tidings.kit.settings import BrokerUrl, CacheUrl, HttpSettings


class ChannelSettings(HttpSettings, frozen=True, kw_only=True):
    """Settings of a channel service."""

    broker_url: BrokerUrl
    cache_url: CacheUrl
    users_url: UsersUrl
    templates_url: TemplatesUrl
    public_url: Annotated[
        str,
        Meta(
            description="the gateway as recipients reach it, for the links in messages",
            examples=["https://notify.example.com"],
        ),
    ] = "http://127.0.0.1:8000"
    retry_delays: RetryDelays = RETRY_DELAYS
    max_attempts: Annotated[
        int, Meta(ge=1, le=100, description="attempts before a dead letter", examples=["8"])
    ] = 8
    concurrency: Annotated[
        int,
        Meta(
            ge=1,
            le=2000,
            description="messages of priority `normal` in work, and sends of them under way, at once",
            examples=["50"],
        ),
    ] = 50
    critical_concurrency: Annotated[
        int, Meta(ge=1, le=2000, description="the same for priority `critical`, on top", examples=["20"])
    ] = 20
    bulk_concurrency: Annotated[
        int, Meta(ge=1, le=2000, description="the same for priority `bulk`, on top", examples=["20"])
    ] = 20

    look_up_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=60,
            description="how long each of three tries to ask the user or the template service may take",
            examples=["2"],
        ),
    ] = 2.0

    @property
    def places(self) -> dict[Priority, int]:
        """How many messages of each lane may be in work at once; no lane takes another's places."""
        return {
            Priority.CRITICAL: self.critical_concurrency,
            Priority.NORMAL: self.concurrency,
            Priority.BULK: self.bulk_concurrency,
        }

    @property
    def all_places(self) -> int:
        """How many messages of all lanes together may be in work at once."""
        return sum(self.places.values())
