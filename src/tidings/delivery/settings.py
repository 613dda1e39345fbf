"""What both channels are told."""

from typing import Annotated

from msgspec import Meta

from tidings.client.settings import TemplatesUrl, UsersUrl
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
        int, Meta(ge=1, le=2000, description="messages in work at once", examples=["50"])
    ] = 50
