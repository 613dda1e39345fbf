"""A channel service as a process: its HTTP side, its collaborators, its consumption."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

import tidings
from tidings.client.http import ServiceHttp, open_session
from tidings.client.templates import TemplatesClient
from tidings.client.users import UsersClient
from tidings.contracts.queues import WORK_QUEUES, topology
from tidings.delivery.channel import Channel
from tidings.delivery.consumer import DeliveryConsumer
from tidings.delivery.directory import Directory
from tidings.delivery.ledger import open_ledger
from tidings.delivery.pipeline import Pipeline
from tidings.delivery.reporting import Reporter
from tidings.delivery.schedule import RetrySchedule
from tidings.delivery.settings import ChannelSettings
from tidings.kit.auth import Authenticator, ServiceTokens
from tidings.kit.broker import open_broker
from tidings.kit.cache import open_redis
from tidings.kit.service import build_app, serve

MakeChannel = Callable[[UsersClient, aiohttp.ClientSession], Channel[Any, Any]]


async def run_channel(name: str, settings: ChannelSettings, make_channel: MakeChannel) -> None:
    """Run a channel service until it is told to stop; messages in work are finished or handed back."""
    tokens = ServiceTokens(name, settings.service_secret)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session())
        users = UsersClient(ServiceHttp(session, settings.users_url, lambda: tokens.sign("users")))
        templates = TemplatesClient(
            ServiceHttp(session, settings.templates_url, lambda: tokens.sign("templates"))
        )
        redis = await stack.enter_async_context(open_redis(settings.cache_url))
        ledger = await stack.enter_async_context(open_ledger(redis))
        tiers = topology(settings.retry_delays)
        broker = await stack.enter_async_context(open_broker(settings.broker_url, tiers))
        channel = make_channel(users, session)
        stack.push_async_callback(channel.provider.close)
        consumer = DeliveryConsumer(
            Pipeline(channel, Directory(users, templates), ledger),
            Reporter(broker),
            RetrySchedule(settings.retry_delays, settings.max_attempts),
        )
        consumption = await broker.consume(
            WORK_QUEUES[channel.name], consumer, concurrency=settings.concurrency
        )
        stack.push_async_callback(consumption.stop, limit=settings.shutdown_seconds)
        app = build_app(
            name=name,
            version=tidings.__version__,
            routes=[],
            authenticator=Authenticator(tokens),
            checks={
                "broker": broker.ping,
                "redis": ledger.ping,
                channel.provider.name: channel.provider.ping,
            },
            provides={},
        )
        await serve(app, settings)
