"""Settings of the gateway."""

from typing import Annotated

from msgspec import Meta

from tidings.client.settings import TemplatesUrl, UsersUrl
from tidings.contracts.queues import RETRY_DELAYS, RetryDelays
from tidings.kit.settings import BrokerUrl, HttpSettings


class GatewaySettings(HttpSettings, frozen=True, kw_only=True):
    """Where the gateway keeps, sends and asks."""

    database_url: Annotated[
        str,
        Meta(
            description="PostgreSQL, as the role that owns the schema gateway",
            examples=["postgresql://tidings_gateway:secret@db/tidings"],
        ),
    ]
    broker_url: BrokerUrl
    users_url: UsersUrl
    templates_url: TemplatesUrl
    email_url: (
        Annotated[
            str,
            Meta(
                description="the email service; with it providers' webhooks come in at /webhooks/…",
                examples=["http://email:8003"],
            ),
        ]
        | None
    ) = None
    retry_delays: RetryDelays = RETRY_DELAYS
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
    bootstrap_test_api_key: (
        Annotated[
            str,
            Meta(
                pattern=r"^tdg_test_[A-Za-z0-9_-]{32,}$",
                description="a first test key: what is sent with it reaches no real provider",
                examples=["tdg_test_ and the output of: openssl rand -hex 24"],
            ),
        ]
        | None
    ) = None
    pool_size: Annotated[int, Meta(ge=2, le=100, description="database connections", examples=["10"])] = 10
