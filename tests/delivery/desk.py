"""The pipeline without a process and a queue: a test hands in deliveries and sees how they are settled."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from tidings.client.http import ServiceHttp, open_session
from tidings.client.templates import TemplatesClient
from tidings.client.users import UsersClient
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.queues import EMAIL_QUEUE, topology
from tidings.delivery.consumer import DeliveryConsumer
from tidings.delivery.directory import Directory
from tidings.delivery.ledger import open_ledger
from tidings.delivery.pipeline import Pipeline
from tidings.delivery.reporting import Reporter
from tidings.delivery.schedule import RetrySchedule
from tidings.email.channel import EmailChannel
from tidings.email.providers.smtp import SmtpProvider
from tidings.email.settings import EmailSettings
from tidings.kit.auth import ServiceTokens
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Delivery, Message, Settlement
from tidings.kit.cache import open_redis
from tidings.rendering import Renderer


class Desk:
    """The handler of the email queue."""

    def __init__(self, consumer: DeliveryConsumer) -> None:
        self._consumer = consumer

    async def deliver(
        self, message: DeliveryMessage, *, attempt: int = 1, redelivered: bool = False
    ) -> Settlement:
        """How a broker's delivery of `message` is settled."""
        return await self.deliver_body(msgspec.json.encode(message), attempt=attempt, redelivered=redelivered)

    async def deliver_body(self, body: bytes, *, attempt: int = 1, redelivered: bool = False) -> Settlement:
        """How a delivery of these bytes is settled."""
        return await self._consumer(
            Delivery(EMAIL_QUEUE, Message("m", body), attempt=attempt, redelivered=redelivered)
        )


@asynccontextmanager
async def open_desk(settings: EmailSettings) -> AsyncIterator[Desk]:
    """Everything that the email service puts together from these settings, but its consumption."""
    tokens = ServiceTokens("email", settings.service_secret)
    provider = SmtpProvider(settings)
    async with (
        open_session() as session,
        open_redis(settings.cache_url) as redis,
        open_ledger(redis) as ledger,
        open_broker(settings.broker_url, topology(settings.retry_delays)) as broker,
    ):
        users = UsersClient(ServiceHttp(session, settings.users_url, lambda: tokens.sign("users")))
        templates = TemplatesClient(
            ServiceHttp(session, settings.templates_url, lambda: tokens.sign("templates"))
        )
        pipeline = Pipeline(EmailChannel(Renderer(), provider), Directory(users, templates), ledger)
        schedule = RetrySchedule(settings.retry_delays, settings.max_attempts)
        yield Desk(DeliveryConsumer(pipeline, Reporter(broker), schedule))
        await provider.close()
