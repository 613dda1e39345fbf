"""The gateway, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from litestar import Litestar

import tidings
from tidings.client.http import ServiceHttp, open_session
from tidings.client.templates import TemplatesClient
from tidings.client.users import UsersClient
from tidings.contracts.queues import topology
from tidings.gateway.acceptance import Acceptance
from tidings.gateway.api import ROUTES
from tidings.gateway.attachment_store import AttachmentStore
from tidings.gateway.checking import RequestChecks
from tidings.gateway.dead_letter_store import DeadLetterStore
from tidings.gateway.dead_letters import recording_dead_letters
from tidings.gateway.dispatch import open_dispatcher
from tidings.gateway.forwarding import Forwarder, forwarding_routes
from tidings.gateway.key_store import KeyStore
from tidings.gateway.keys import ApiKeys
from tidings.gateway.public_pages import PUBLIC_PAGES, PublicPages
from tidings.gateway.reading_store import ReadingStore
from tidings.gateway.settings import GatewaySettings
from tidings.gateway.store import GatewayStore
from tidings.gateway.tracking import tracking
from tidings.gateway.tracking_store import TrackingStore
from tidings.gateway.webhooks import open_webhooks, webhook_routes
from tidings.kit.auth import Authenticator, ServiceTokens
from tidings.kit.broker import open_broker
from tidings.kit.database import open_database
from tidings.kit.service import build_app, run_process, serve

LOOK_UP_SECONDS = 0.5
"""How long an accept may wait for a look-up before it goes on unchecked."""


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
    tiers = topology(settings.retry_delays)
    async with (
        open_session() as session,
        open_webhooks(settings.email_url) as webhooks,
        open_database(
            settings.database_url, schema="gateway", package="tidings.gateway", pool_size=settings.pool_size
        ) as database,
        open_broker(settings.broker_url, tiers) as broker,
        open_dispatcher(GatewayStore(database), broker) as dispatcher,
        tracking(TrackingStore(database), broker, limit=settings.shutdown_seconds),
        recording_dead_letters(DeadLetterStore(database), broker, limit=settings.shutdown_seconds),
    ):
        store = GatewayStore(database)
        api_keys = ApiKeys(KeyStore(database))
        for key in (settings.bootstrap_api_key, settings.bootstrap_test_api_key):
            if key is not None:
                await api_keys.bootstrap(key)
        services = {"users": settings.users_url, "templates": settings.templates_url}
        https = {
            name: ServiceHttp(session, url, partial(tokens.sign, name), seconds=LOOK_UP_SECONDS)
            for name, url in services.items()
        }
        users, templates = UsersClient(https["users"]), TemplatesClient(https["templates"])
        yield build_app(
            name="gateway",
            version=tidings.__version__,
            routes=[*ROUTES, *PUBLIC_PAGES, *forwarding_routes(), *webhook_routes(webhooks)],
            authenticator=Authenticator(tokens, api_keys.check),
            checks={"postgresql": store.ping},
            optional_checks={"broker": broker.ping},
            provides={
                "acceptance": Acceptance(store, dispatcher, RequestChecks(users, templates)),
                "reading": ReadingStore(database),
                "attachments": AttachmentStore(database),
                "api_keys": api_keys,
                "forwarder": Forwarder(session, tokens, services),
                "webhooks": webhooks,
                "public_pages": PublicPages(session, settings.users_url),
            },
        )
