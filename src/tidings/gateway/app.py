"""The gateway, put together."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from functools import partial

import aiohttp
from litestar import Litestar

import tidings
from tidings.client.http import ServiceHttp, open_session
from tidings.client.templates import TemplatesClient
from tidings.client.users import UsersClient
from tidings.contracts.queues import topology
from tidings.gateway.acceptance import Acceptance
from tidings.gateway.api import ROUTES, Sending
from tidings.gateway.around import public_router
from tidings.gateway.attachment_store import AttachmentStore
from tidings.gateway.audit.api import ROUTES as AUDIT_ROUTES
from tidings.gateway.audit.reading import AuditLogs
from tidings.gateway.batching.api import BATCH_ROUTES
from tidings.gateway.batching.dry_runs import DryBatches
from tidings.gateway.callbacks.api import CALLBACK_ROUTES
from tidings.gateway.callbacks.running import open_callbacks
from tidings.gateway.cancelling.api import CANCEL_ROUTES
from tidings.gateway.cancelling.deciding import open_cancelling
from tidings.gateway.checking import RequestChecks
from tidings.gateway.credentials.api import ROUTES as KEY_ROUTES
from tidings.gateway.credentials.opening import open_credentials
from tidings.gateway.credentials.token_api import TOKEN_ROUTES
from tidings.gateway.data_life.running import living
from tidings.gateway.dead_letters.opening import DEAD_LETTER_ROUTES, open_dead_letters
from tidings.gateway.dispatch import open_dispatcher
from tidings.gateway.engagement import Engagements, take_engagement
from tidings.gateway.explaining.api import EXPLAINING_ROUTES
from tidings.gateway.explaining.asking import ChannelServices
from tidings.gateway.explaining.dry_runs import DryRuns
from tidings.gateway.explaining.store import ExplainingStore
from tidings.gateway.forwarding import DESCRIPTION, Forwarder, forwarding_routes
from tidings.gateway.idempotency.opening import open_idempotency
from tidings.gateway.limits.api import LIMIT_ROUTES
from tidings.gateway.limits.enforcing import open_limits
from tidings.gateway.limits.tally import CallerLimits
from tidings.gateway.public_pages import PUBLIC_PAGES, PublicPages
from tidings.gateway.reading.api import search
from tidings.gateway.reading.event_api import EVENT_ROUTES
from tidings.gateway.reading.feed import open_feed
from tidings.gateway.reading.step_store import StepStore
from tidings.gateway.reading_store import ReadingStore
from tidings.gateway.schedules.api import SCHEDULE_ROUTES
from tidings.gateway.schedules.opening import open_schedules
from tidings.gateway.service_pages import ServicePages, service_page_routes
from tidings.gateway.settings import GatewaySettings
from tidings.gateway.store import GatewayStore
from tidings.gateway.tracking import tracking
from tidings.gateway.tracking_store import TrackingStore
from tidings.gateway.webhooks import open_webhooks, webhook_routes
from tidings.kit.audit.keeping import keeping_audit_log
from tidings.kit.audit.store import AuditLog
from tidings.kit.auth import Authenticator, ServiceTokens
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Broker
from tidings.kit.database import Database, open_database
from tidings.kit.service import build_app, run_process, serve

PUBLIC_API = (
    *ROUTES,
    search,
    *EVENT_ROUTES,
    *BATCH_ROUTES,
    *CANCEL_ROUTES,
    *SCHEDULE_ROUTES,
    *EXPLAINING_ROUTES,
    *KEY_ROUTES,
    *TOKEN_ROUTES,
    *AUDIT_ROUTES,
    *CALLBACK_ROUTES,
    *DEAD_LETTER_ROUTES,
    *LIMIT_ROUTES,
    *PUBLIC_PAGES,
    take_engagement,
    *forwarding_routes(),
)

REHEARSAL_SECONDS = 5.0
"""How long a dry run waits for a channel's service, which may have to ask two others in turn; longer where
look-ups may take longer."""
READ_SECONDS = 2.0
"""How long a reader waits for another service's audit log."""


def main() -> None:
    """Run the gateway as the environment configures it."""
    run_process("gateway", GatewaySettings, run)


async def run(settings: GatewaySettings) -> None:
    """Run until told to stop."""
    async with open_app(settings) as app:
        await serve(app, settings)


@asynccontextmanager
async def open_app(settings: GatewaySettings) -> AsyncIterator[Litestar]:
    """The application at work, with everything it uses, for as long as the block runs."""
    tokens = ServiceTokens("gateway", settings.service_secret)
    services = {"users": settings.users_url, "templates": settings.templates_url}
    first_keys = (settings.bootstrap_api_key, settings.bootstrap_test_api_key)
    async with (
        open_session() as session,
        open_webhooks(settings.email_url) as webhooks,
        open_limits(settings) as limits,
        _open_database(settings) as database,
        open_idempotency(settings, database) as once,
        open_credentials(database, settings.service_secret, first_keys=first_keys) as credentials,
        open_broker(settings.broker_url, topology(settings.retry_delays)) as broker,
        open_sending(
            settings,
            database,
            broker,
            _checks(_https(session, tokens, services, seconds=settings.look_up_seconds)),
            UsersClient(_https(session, tokens, services)["users"]),
            channels=_channels(session, tokens, settings),
            limits=limits,
        ) as sending,
        open_feed(
            steps := StepStore(database), settings.database_url, most=settings.limit_event_streams
        ) as feed,
    ):
        yield build_app(
            name="gateway",
            version=tidings.__version__,
            routes=[
                public_router(limits, once, [*PUBLIC_API, *webhook_routes(webhooks)]),
                *service_page_routes(),
            ],
            authenticator=Authenticator(tokens, credentials.check_key, credentials.check_token),
            checks={"postgresql": database.ping},
            optional_checks={"broker": broker.ping, **limits.checks},
            provides={
                **sending,
                **credentials.provides,
                "reading": ReadingStore(database),
                "explaining": ExplainingStore(database),
                "steps": steps,
                "feed": feed,
                "attachments": AttachmentStore(database),
                "audit_logs": AuditLogs(AuditLog(database), _https(session, tokens, services)),
                "limits": limits,
                "forwarder": Forwarder(session, tokens, services),
                "webhooks": webhooks,
                "public_pages": PublicPages(session, settings.users_url),
                "service_pages": ServicePages(_https(session, tokens, services)),
            },
            on_stop=[feed.end_streams],
            description=DESCRIPTION,
        )


@asynccontextmanager
async def open_sending(
    settings: GatewaySettings,
    database: Database,
    broker: Broker,
    checks: RequestChecks,
    users: UsersClient,
    *,
    channels: ChannelServices,
    limits: CallerLimits,
) -> AsyncIterator[dict[str, object]]:
    """Accepting, dispatching, tracking and what follows from states; yields what the routes need of it."""
    lifetime = timedelta(hours=settings.idempotency_hours)
    store, limit = GatewayStore(database, lifetime=lifetime), settings.shutdown_seconds
    async with (
        open_dispatcher(store, broker) as dispatcher,
        open_callbacks(settings, database, broker) as callbacks,
        living(settings, database, callbacks.outbox, users),
        keeping_audit_log(database, settings.audit_retention_days),
        open_cancelling(settings.cache_url, database, callbacks.outbox) as canceller,
        tracking(tracked := TrackingStore(database, callbacks.outbox), broker, limit=limit),
        open_dead_letters(
            database, broker, dispatcher, callbacks.outbox, checks, limit=limit
        ) as dead_letters,
        open_schedules(
            database,
            acceptance := Acceptance(store, dispatcher, checks),
            checks,
            limits,
            grace=timedelta(seconds=settings.schedule_grace_seconds),
        ) as schedules,
    ):
        dry_runs = DryRuns(acceptance, store, ExplainingStore(database), channels)
        yield {
            **dead_letters,
            **schedules,
            "acceptance": acceptance,
            "sending": Sending(acceptance, dry_runs),
            "dry_batches": DryBatches(dry_runs),
            "callbacks": callbacks,
            "canceller": canceller,
            "engagements": Engagements(tracked, [settings.service_secret]),
        }


def _open_database(settings: GatewaySettings) -> AbstractAsyncContextManager[Database]:
    return open_database(
        settings.database_url,
        schema="gateway",
        package="tidings.gateway",
        pool_size=settings.pool_size,
        patience=settings.database_seconds,
    )


def _channels(
    session: aiohttp.ClientSession, tokens: ServiceTokens, settings: GatewaySettings
) -> ChannelServices:
    urls = {"email": settings.email_url, "push": settings.push_url}
    seconds = max(REHEARSAL_SECONDS, settings.look_up_seconds)
    return ChannelServices(_https(session, tokens, urls, seconds=seconds))


def _checks(https: Mapping[str, ServiceHttp]) -> RequestChecks:
    return RequestChecks(UsersClient(https["users"]), TemplatesClient(https["templates"]))


def _https(
    session: aiohttp.ClientSession,
    tokens: ServiceTokens,
    services: Mapping[str, str | None],
    *,
    seconds: float = READ_SECONDS,
) -> dict[str, ServiceHttp]:
    return {
        name: ServiceHttp(session, url, partial(tokens.sign, name), seconds=seconds)
        for name, url in services.items()
        if url is not None
    }
