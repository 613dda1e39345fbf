"""The gateway, put together."""

import asyncio
import os
from contextlib import AsyncExitStack

import tidings
from tidings.client.http import ServiceHttp, open_session
from tidings.client.templates import TemplatesClient
from tidings.client.users import UsersClient
from tidings.contracts.queues import STATUS_QUEUE, topology
from tidings.gateway import api
from tidings.gateway.acceptance import Acceptance
from tidings.gateway.dispatch import open_dispatcher
from tidings.gateway.forwarding import Forwarder, forwarded
from tidings.gateway.keys import ApiKeys
from tidings.gateway.settings import GatewaySettings
from tidings.gateway.store import GatewayStore
from tidings.gateway.tracking import CONCURRENCY, Tracker
from tidings.kit.auth import Authenticator, ServiceTokens
from tidings.kit.broker import open_broker
from tidings.kit.database import open_database
from tidings.kit.service import build_app, serve
from tidings.kit.settings import load_settings
from tidings.kit.telemetry import configure_logging

LOOK_UP_SECONDS = 0.5
"""How long an accept may wait for a look-up before it goes on unchecked."""


def main() -> None:
    """Run the gateway as the environment configures it."""
    settings = load_settings(GatewaySettings, "gateway", os.environ)
    configure_logging("gateway")
    asyncio.run(run(settings))


async def run(settings: GatewaySettings) -> None:
    """Run until told to stop."""
    tokens = ServiceTokens("gateway", settings.service_secret)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session())
        database = await stack.enter_async_context(
            open_database(
                settings.database_url,
                schema="gateway",
                package="tidings.gateway",
                pool_size=settings.pool_size,
            )
        )
        store = GatewayStore(database)
        api_keys = ApiKeys(store)
        if settings.bootstrap_api_key:
            await api_keys.bootstrap(settings.bootstrap_api_key)
        tiers = topology(settings.retry_delays)
        broker = await stack.enter_async_context(open_broker(settings.broker_url, tiers))
        dispatcher = await stack.enter_async_context(open_dispatcher(store, broker))
        consumption = await broker.consume(STATUS_QUEUE, Tracker(store), concurrency=CONCURRENCY)
        stack.push_async_callback(consumption.stop, limit=settings.shutdown_seconds)
        users = UsersClient(
            ServiceHttp(session, settings.users_url, lambda: tokens.sign("users"), seconds=LOOK_UP_SECONDS)
        )
        templates = TemplatesClient(
            ServiceHttp(
                session, settings.templates_url, lambda: tokens.sign("templates"), seconds=LOOK_UP_SECONDS
            )
        )
        services = {"users": settings.users_url, "templates": settings.templates_url}
        app = build_app(
            name="gateway",
            version=tidings.__version__,
            routes=[api.send, api.read, api.search, api.check_key, *map(forwarded, services)],
            authenticator=Authenticator(tokens, api_keys.check),
            checks={"postgresql": store.ping},
            optional_checks={"broker": broker.ping},
            provides={
                "acceptance": Acceptance(store, dispatcher, users, templates),
                "store": store,
                "api_keys": api_keys,
                "forwarder": Forwarder(session, tokens, services),
            },
        )
        await serve(app, settings)
