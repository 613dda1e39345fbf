"""What both channels are told."""

from typing import Annotated

from msgspec import Meta

from tidings.contracts.queues import RETRY_DELAYS
from tidings.kit.settings import HttpSettings


class ChannelSettings(HttpSettings, frozen=True, kw_only=True):
    """Settings of a channel service."""

    broker_url: Annotated[
        str,
        Meta(description="RabbitMQ, or PostgreSQL as a broker", examples=["amqp://tidings:secret@mq:5672/"]),
    ]
    cache_url: Annotated[
        str, Meta(description="Redis or Valkey, for the delivery ledger", examples=["redis://cache:6379/0"])
    ]
    users_url: Annotated[str, Meta(description="the user service", examples=["http://users:8001"])]
    templates_url: Annotated[
        str, Meta(description="the template service", examples=["http://templates:8002"])
    ]
    retry_delays: Annotated[
        tuple[float, ...],
        Meta(
            min_length=1,
            description="seconds to wait after the first, second, … failure",
            examples=["10,60,300,1800,7200,21600"],
        ),
    ] = RETRY_DELAYS
    max_attempts: Annotated[
        int, Meta(ge=1, le=100, description="attempts before a dead letter", examples=["8"])
    ] = 8
    concurrency: Annotated[
        int, Meta(ge=1, le=2000, description="messages in work at once", examples=["50"])
    ] = 50
