"""Callbacks at work in one gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tidings.contracts.queues import CALLBACKS_QUEUE
from tidings.gateway.callbacks.consumer import CONCURRENCY, CallbackConsumer
from tidings.gateway.callbacks.delivery_store import DeliveryStore
from tidings.gateway.callbacks.dispatching import CLEANING_SECONDS, CallbackDispatcher
from tidings.gateway.callbacks.outbox import CallbackOutbox
from tidings.gateway.callbacks.policy import CallbackPolicy, policy_of
from tidings.gateway.callbacks.posting import Courier
from tidings.gateway.callbacks.store import EndpointStore
from tidings.gateway.callbacks.subscriptions import REFRESH_SECONDS, Subscriptions
from tidings.gateway.settings import GatewaySettings
from tidings.kit.broker.port import Broker
from tidings.kit.database import Database
from tidings.kit.outbound import open_outbound
from tidings.kit.repeating import repeat


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What the rest of the gateway uses of callbacks: the outbox, and for the API the rest."""

    outbox: CallbackOutbox
    policy: CallbackPolicy
    endpoints: EndpointStore
    deliveries: DeliveryStore
    courier: Courier
    subscriptions: Subscriptions
    dispatcher: CallbackDispatcher


@asynccontextmanager
async def open_callbacks(
    settings: GatewaySettings, database: Database, broker: Broker
) -> AsyncIterator[Callbacks]:
    """Dispatch and post callbacks for as long as the block runs."""
    policy = policy_of(settings)
    endpoints, deliveries = EndpointStore(database), DeliveryStore(database, policy)
    subscriptions = Subscriptions(endpoints)
    dispatcher = CallbackDispatcher(deliveries, broker)
    await subscriptions.refresh()
    async with open_outbound(allow=policy.hosts, connections=CONCURRENCY) as outbound:
        courier = Courier(outbound, policy.seconds)
        handler = CallbackConsumer(deliveries, courier, policy, dispatcher.wake)
        consumption = await broker.consume(CALLBACKS_QUEUE, handler, concurrency=CONCURRENCY)
        works = (
            repeat(subscriptions.refresh, seconds=REFRESH_SECONDS, failed="subscriptions_not_refreshed"),
            dispatcher.run(),
            repeat(dispatcher.drop_old, seconds=CLEANING_SECONDS, failed="cleaning_failed"),
        )
        tasks = [asyncio.create_task(work) for work in works]
        try:
            outbox = CallbackOutbox(subscriptions, dispatcher.wake)
            yield Callbacks(outbox, policy, endpoints, deliveries, courier, subscriptions, dispatcher)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await consumption.stop(limit=settings.shutdown_seconds)
