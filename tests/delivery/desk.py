"""The pipeline without a process and a queue: a test hands in deliveries and sees how they are settled."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import msgspec

from tidings.contracts.codes import ErrorOwner
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.queues import EMAIL_QUEUE
from tidings.delivery.outcome import Refused
from tidings.delivery.worker import Works, open_works
from tidings.email.app import channel_maker, open_files
from tidings.email.settings import EmailSettings
from tidings.kit.broker.port import Delivery, Message, Settlement


class Desk:
    """The handler of the email queue."""

    def __init__(self, works: Works) -> None:
        self.works = works

    async def deliver(
        self, message: DeliveryMessage, *, attempt: int = 1, redelivered: bool = False
    ) -> Settlement:
        """How a broker's delivery of `message` is settled."""
        return await self.deliver_body(msgspec.json.encode(message), attempt=attempt, redelivered=redelivered)

    async def deliver_body(self, body: bytes, *, attempt: int = 1, redelivered: bool = False) -> Settlement:
        """How a delivery of these bytes is settled."""
        return await self.works.handler(
            Delivery(EMAIL_QUEUE, Message("m", body), attempt=attempt, redelivered=redelivered)
        )


@contextmanager
def resting(desk: Desk, provider: str, *, seconds: float = 60.0) -> Iterator[None]:
    """What fails in the block opens the provider's breaker, which then rests for so long from its end on.

    A first rest of 5 s may be over before a slow machine has come to what is tried in it. So a call that
    began before the failures is answered after them, and asks for a longer one.
    """
    call = desk.works.routes.by_name[provider].breaker.enter()
    assert call is not None, "it rests already"
    yield
    assert call.lapsed, "its breaker has not opened"
    call.end(Refused(provider, ErrorOwner.THROTTLE, "not now", retry_after=seconds))


@asynccontextmanager
async def open_desk(settings: EmailSettings) -> AsyncIterator[Desk]:
    """Everything that the email service puts together from these settings, but its consumption."""
    providers = settings.providers()
    async with (
        open_files(settings, providers) as outbound,
        open_works("email", settings, providers, channel_maker(settings, providers, outbound)) as works,
    ):
        yield Desk(works)
