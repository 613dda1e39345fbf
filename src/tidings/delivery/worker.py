"""A channel service as a process: its HTTP side, its collaborators, its consumption."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
from litestar import Litestar
from litestar.types import ControllerRouterHandler
from redis.asyncio import Redis

import tidings
from tidings.client.http import ServiceHttp, open_session
from tidings.client.templates import TemplatesClient
from tidings.client.users import UsersClient
from tidings.contracts.queues import topology, work_queue
from tidings.delivery.channel import Channel
from tidings.delivery.consumer import DeliveryConsumer
from tidings.delivery.directory import Directory
from tidings.delivery.frequency import FrequencyCaps
from tidings.delivery.ledger import ANSWER_SECONDS, Ledger, open_ledger
from tidings.delivery.links import RecipientLinks
from tidings.delivery.pipeline import Pipeline
from tidings.delivery.preparing import Preparation
from tidings.delivery.providers_file import Providers
from tidings.delivery.rehearsing import Rehearser, rehearse
from tidings.delivery.reporting import Reporter
from tidings.delivery.routing.budget import Budgets
from tidings.delivery.routing.chain import Chain
from tidings.delivery.routing.gate import Gate
from tidings.delivery.routing.routes import Routes
from tidings.delivery.schedule import RetrySchedule
from tidings.delivery.settings import ChannelSettings
from tidings.kit.auth import Authenticator, ServiceTokens
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Broker
from tidings.kit.cache import open_redis
from tidings.kit.service import build_app, serve

FOR_SERVICES = 20
"""Connections beside those of the sends, so that a slow provider holds up no call to our own services."""


@dataclass(frozen=True, slots=True)
class Collaborators:
    """What a channel, and what runs beside it, may need."""

    users: UsersClient
    session: aiohttp.ClientSession
    redis: Redis
    broker: Broker
    ledger: Ledger
    reporter: Reporter


@dataclass(frozen=True, slots=True)
class Works:
    """A channel and all that it takes to deliver on it."""

    channel: Channel[Any, Any]
    collaborators: Collaborators
    chain: Chain[Any, Any]
    rehearser: Rehearser[Any, Any]
    routes: Routes[Any, Any]
    gate: Gate
    handler: DeliveryConsumer


MakeChannel = Callable[[Collaborators], Channel[Any, Any]]
Beside = Callable[[Works], AbstractAsyncContextManager[None]]
"""What runs for as long as messages are consumed, such as the consumer of receipts."""


@asynccontextmanager
async def open_works(
    name: str, settings: ChannelSettings, providers: Providers, make_channel: MakeChannel
) -> AsyncIterator[Works]:
    """Put a channel together, for as long as the block runs."""
    tokens = ServiceTokens(name, settings.service_secret)
    async with (
        open_session(connections=settings.all_places + FOR_SERVICES) as session,
        open_redis(settings.cache_url) as redis,
        open_redis(settings.cache_url, seconds=ANSWER_SECONDS) as ledgers_redis,
        open_ledger(ledgers_redis) as ledger,
        open_broker(settings.broker_url, topology(settings.retry_delays)) as broker,
    ):
        asking = partial(ServiceHttp, session, seconds=settings.look_up_seconds)
        users = UsersClient(asking(settings.users_url, partial(tokens.sign, "users")))
        templates = TemplatesClient(asking(settings.templates_url, partial(tokens.sign, "templates")))
        collaborators = Collaborators(users, session, redis, broker, ledger, Reporter(broker))
        channel = make_channel(collaborators)
        try:
            yield _put_together(channel, collaborators, Directory(users, templates), settings, providers)
        finally:
            for provider in (*channel.providers, channel.sandbox):
                await provider.close()


def _put_together(
    channel: Channel[Any, Any],
    collaborators: Collaborators,
    directory: Directory,
    settings: ChannelSettings,
    providers: Providers,
) -> Works:
    redis = collaborators.redis
    routes = Routes(channel.name, channel.providers, providers, Budgets(redis, channel.name))
    gate = Gate(channel.name, routes)
    chain = Chain(channel, providers, routes)
    links = RecipientLinks(settings.public_url, settings.service_secret)
    preparation = Preparation(channel, directory, FrequencyCaps(redis), links)
    pipeline = Pipeline(channel, preparation, chain, collaborators.ledger, settings.places)
    schedule = RetrySchedule(settings.retry_delays, settings.max_attempts)
    handler = DeliveryConsumer(pipeline, routes, gate, collaborators.reporter, schedule)
    return Works(channel, collaborators, chain, Rehearser(preparation, chain), routes, gate, handler)


async def run_channel(
    name: str,
    settings: ChannelSettings,
    providers: Providers,
    make_channel: MakeChannel,
    *,
    routes: Sequence[ControllerRouterHandler] = (),
    beside: Sequence[Beside] = (),
) -> None:
    """Run a channel service until it is told to stop; messages in work are finished or handed back.

    `routes` are what it serves beside health and metrics; they may name the `channel` and the `works`
    as parameters.
    """
    async with open_works(name, settings, providers, make_channel) as works, AsyncExitStack() as stack:
        for companion in beside:
            await stack.enter_async_context(companion(works))
        async with consuming(works, settings):
            await serve(channel_app(works, settings, routes), settings)


def channel_app(
    works: Works, settings: ChannelSettings, routes: Sequence[ControllerRouterHandler] = ()
) -> Litestar:
    """What a channel service answers over HTTP."""
    name, given = str(works.channel.name), works.collaborators
    return build_app(
        name=name,
        version=tidings.__version__,
        routes=[rehearse, *routes],
        authenticator=Authenticator(ServiceTokens(name, settings.service_secret)),
        checks={"broker": given.broker.ping},
        optional_checks={**works.routes.checks(), "redis": given.ledger.ping},
        provides={"channel": works.channel, "works": works, "rehearser": works.rehearser},
    )


@asynccontextmanager
async def consuming(works: Works, settings: ChannelSettings) -> AsyncIterator[None]:
    """Messages of every lane are delivered for as long as the block runs."""
    broker = works.collaborators.broker
    lanes = [
        await broker.consume(work_queue(works.channel.name, lane), works.handler, concurrency=places)
        for lane, places in settings.places.items()
    ]
    try:
        yield
    finally:
        # In this order: what leaves the gate before the broker stops handing out comes back at once.
        stops = [lane.stop(limit=settings.shutdown_seconds) for lane in lanes]
        await asyncio.gather(*stops, works.gate.stop())
