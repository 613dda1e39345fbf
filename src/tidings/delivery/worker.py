"""A channel service as a process: its HTTP side, its collaborators, its consumption."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
from litestar.types import ControllerRouterHandler

import tidings
from tidings.client.http import ServiceHttp, open_session
from tidings.client.templates import TemplatesClient
from tidings.client.users import UsersClient
from tidings.contracts.queues import WORK_QUEUES, topology
from tidings.delivery.channel import Channel
from tidings.delivery.consumer import DeliveryConsumer
from tidings.delivery.directory import Directory
from tidings.delivery.frequency import FrequencyCaps
from tidings.delivery.ledger import Ledger, open_ledger
from tidings.delivery.links import RecipientLinks
from tidings.delivery.pipeline import Pipeline
from tidings.delivery.reporting import Reporter
from tidings.delivery.schedule import RetrySchedule
from tidings.delivery.settings import ChannelSettings
from tidings.kit.auth import Authenticator, ServiceTokens
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Broker
from tidings.kit.cache import open_redis
from tidings.kit.service import build_app, serve

MakeChannel = Callable[[UsersClient, aiohttp.ClientSession], Channel[Any, Any]]


@dataclass(frozen=True, slots=True)
class Works:
    """A channel and all that it takes to deliver on it."""

    channel: Channel[Any, Any]
    broker: Broker
    ledger: Ledger
    handler: DeliveryConsumer


@asynccontextmanager
async def open_works(name: str, settings: ChannelSettings, make_channel: MakeChannel) -> AsyncIterator[Works]:
    """Put a channel together, for as long as the block runs."""
    tokens = ServiceTokens(name, settings.service_secret)
    async with (
        open_session() as session,
        open_redis(settings.cache_url) as redis,
        open_ledger(redis) as ledger,
        open_broker(settings.broker_url, topology(settings.retry_delays)) as broker,
    ):
        users = UsersClient(ServiceHttp(session, settings.users_url, partial(tokens.sign, "users")))
        templates = TemplatesClient(
            ServiceHttp(session, settings.templates_url, partial(tokens.sign, "templates"))
        )
        channel = make_channel(users, session)
        pipeline = Pipeline(
            channel,
            Directory(users, templates),
            ledger,
            FrequencyCaps(redis),
            RecipientLinks(settings.public_url, settings.service_secret),
        )
        schedule = RetrySchedule(settings.retry_delays, settings.max_attempts)
        try:
            yield Works(channel, broker, ledger, DeliveryConsumer(pipeline, Reporter(broker), schedule))
        finally:
            await channel.provider.close()


async def run_channel(
    name: str,
    settings: ChannelSettings,
    make_channel: MakeChannel,
    routes: Sequence[ControllerRouterHandler] = (),
) -> None:
    """Run a channel service until it is told to stop; messages in work are finished or handed back.

    `routes` are what it serves beside health and metrics; they may name the `channel` as a parameter.
    """
    async with open_works(name, settings, make_channel) as works:
        channel, broker = works.channel, works.broker
        app = build_app(
            name=name,
            version=tidings.__version__,
            routes=routes,
            authenticator=Authenticator(ServiceTokens(name, settings.service_secret)),
            checks={"broker": broker.ping},
            optional_checks={"redis": works.ledger.ping, channel.provider.name: channel.provider.ping},
            provides={"channel": channel},
        )
        consumption = await broker.consume(
            WORK_QUEUES[channel.name], works.handler, concurrency=settings.concurrency
        )
        try:
            await serve(app, settings)
        finally:
            await consumption.stop(limit=settings.shutdown_seconds)
