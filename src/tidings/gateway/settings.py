"""Settings of the gateway."""

from typing import Annotated

from msgspec import Meta

from tidings.contracts.queues import RETRY_DELAYS
from tidings.kit.settings import HttpSettings


class GatewaySettings(HttpSettings, frozen=True, kw_only=True):
    """Where the gateway keeps, sends and asks."""

    database_url: Annotated[
        str,
        Meta(
            description="PostgreSQL, as the role that owns the schema gateway",
            examples=["postgresql://tidings_gateway:secret@db/tidings"],
        ),
    ]
    broker_url: Annotated[
        str,
        Meta(description="RabbitMQ, or PostgreSQL as a broker", examples=["amqp://tidings:secret@mq:5672/"]),
    ]
    users_url: Annotated[str, Meta(description="the user service", examples=["http://users:8001"])]
    templates_url: Annotated[
        str, Meta(description="the template service", examples=["http://templates:8002"])
    ]
    retry_delays: Annotated[
        tuple[float, ...],
        Meta(
            min_length=1,
            description="the channels' retry delays in seconds, which name the waiting queues",
            examples=["10,60,300,1800,7200,21600"],
        ),
    ] = RETRY_DELAYS
    bootstrap_api_key: (
        Annotated[
            str,
            Meta(
                pattern=r"^tdg_live_[A-Za-z0-9_-]{32,}$",
                description="a first API key with every scope, made known at start",
                examples=["tdg_live_ and the output of: openssl rand -hex 24"],
            ),
        ]
        | None
    ) = None
    pool_size: Annotated[int, Meta(ge=2, le=100, description="database connections", examples=["10"])] = 10
