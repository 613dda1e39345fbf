"""Settings of the gateway."""

from typing import Annotated

from msgspec import Meta

from tidings.client.settings import TemplatesUrl, UsersUrl
from tidings.contracts.queues import RETRY_DELAYS, RetryDelays
from tidings.kit.audit.keeping import AuditRetentionDays
from tidings.kit.settings import BrokerUrl, DatabaseSeconds, HttpSettings


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
                description="the email service, which dry runs ask, and which gets providers' webhooks",
                examples=["http://email:8003"],
            ),
        ]
        | None
    ) = None
    push_url: (
        Annotated[
            str,
            Meta(description="the push service, which dry runs ask", examples=["http://push:8004"]),
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
    cache_url: (
        Annotated[
            str,
            Meta(
                description=(
                    "Redis or Valkey, that of the channel services: limits are counted and cancels decided in"
                    " it; without it nothing is limited, and only what is not due yet can be cancelled"
                ),
                examples=["redis://cache:6379/0"],
            ),
        ]
        | None
    ) = None
    limit_requests_per_second: Annotated[
        int, Meta(ge=0, description="requests of one API key; 0: no limit", examples=["5000"])
    ] = 5_000
    limit_burst_seconds: Annotated[
        int,
        Meta(ge=1, le=60, description="seconds' worth of requests that may come at once", examples=["10"]),
    ] = 10
    limit_notifications_per_minute: Annotated[
        int, Meta(ge=0, description="notifications of one API key; 0: no limit", examples=["300000"])
    ] = 300_000
    limit_notifications_per_day: Annotated[
        int,
        Meta(ge=0, description="notifications of one API key in a day (UTC); 0: no limit", examples=["0"]),
    ] = 0
    limit_recipient_per_hour: Annotated[
        int,
        Meta(
            ge=0,
            description="notifications of one API key to one person on one channel; 0: no limit",
            examples=["10000"],
        ),
    ] = 10_000
    limit_event_streams: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="streams of events that one API key may have open at one gateway",
            examples=["20"],
        ),
    ] = 20
    limit_patience: Annotated[
        float,
        Meta(
            gt=0,
            le=10,
            description="how long a request may wait for Redis before it goes on uncounted",
            examples=["0.05"],
        ),
    ] = 0.05
    idempotency_hours: Annotated[
        int,
        Meta(ge=1, le=720, description="how long a used idempotency key is remembered", examples=["24"]),
    ] = 24
    idempotency_lease_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=3600,
            description=(
                "how long after its gateway died a write with an idempotency key is in progress; longer than"
                " PostgreSQL may be away"
            ),
            examples=["30"],
        ),
    ] = 30.0
    schedule_grace_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=86_400,
            description="how late a schedule may still send what fell due while no gateway ran",
            examples=["3600"],
        ),
    ] = 3_600.0
    callback_hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="exact host:port that callbacks may go to although not https or not public",
            examples=["127.0.0.1:3000,hooks.internal:8443"],
        ),
    ] = ()
    callback_retry_delays: Annotated[
        tuple[float, ...],
        Meta(
            min_length=1,
            max_length=50,
            description="seconds to wait after the first, second, … failure of a callback",
            examples=["5,300,1800,7200,18000,36000,36000"],
        ),
    ] = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 36000.0)
    callback_seconds: Annotated[
        float, Meta(gt=0, le=60, description="how long an endpoint may take to answer", examples=["15"])
    ] = 15.0
    callback_rest_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=3600,
            description="how long an endpoint that failed five times in a row is left alone",
            examples=["60"],
        ),
    ] = 60.0
    callback_suspend_hours: Annotated[
        float,
        Meta(
            gt=0,
            le=720,
            description="hours without one success after which a failing endpoint is suspended",
            examples=["120"],
        ),
    ] = 120.0
    retention_days: Annotated[
        int,
        Meta(
            ge=0,
            le=36_500,
            description="how long settled notifications and dead letters are kept; 0: for ever",
            examples=["90"],
        ),
    ] = 90
    redact_after_days: Annotated[
        int,
        Meta(
            ge=0,
            le=36_500,
            description="after how many days settled notifications lose what they said; 0: never",
            examples=["30"],
        ),
    ] = 0
    audit_retention_days: AuditRetentionDays = 0
    erasure_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=3600,
            description="how often to ask the user service who was erased",
            examples=["5"],
        ),
    ] = 5.0
    database_seconds: DatabaseSeconds = 1.0
    look_up_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=60,
            description="how long an accept waits for the user and template services before it goes on"
            " unchecked",
            examples=["0.5"],
        ),
    ] = 0.5
    pool_size: Annotated[int, Meta(ge=2, le=100, description="database connections", examples=["10"])] = 10
