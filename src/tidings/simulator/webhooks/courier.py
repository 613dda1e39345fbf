"""Delivers events to the receivers: in the background, a few times if need be, and with a record."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from time import perf_counter

import aiohttp
import msgspec

from tidings.kit.ids import now
from tidings.simulator.emails import StoredEmail
from tidings.simulator.journal import Journal
from tidings.simulator.webhooks.events import Event, events_of
from tidings.simulator.webhooks.keys import SigningKeys
from tidings.simulator.webhooks.mailgun import mailgun_posting
from tidings.simulator.webhooks.posting import Posting
from tidings.simulator.webhooks.postmark import postmark_posting
from tidings.simulator.webhooks.resend import resend_posting
from tidings.simulator.webhooks.sendgrid import sendgrid_posting
from tidings.simulator.webhooks.ses import ses_event
from tidings.simulator.webhooks.sns import Sns
from tidings.simulator.webhooks.targets import (
    MailgunTarget,
    PostmarkTarget,
    ResendTarget,
    SendGridTarget,
    SesTarget,
    Target,
    WebhookProvider,
    provider_of,
)

MAX_WAITING = 20_000
MAX_EVENTS = 10_000
MAX_DELIVERIES = 10_000
MAX_DELIVERY_BYTES = 64 * 1024 * 1024
MAX_ANSWER = 500
WORKERS = 8
TIMEOUT_SECONDS = 10.0
PAUSES = (0.5, 1.0, 2.0)
"""Seconds before each further attempt. The providers themselves go on for hours or a day."""


class SentEvent(msgspec.Struct, frozen=True):
    """Which event was in a delivery."""

    id: str
    kind: str
    recipient: str
    reference: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a receiver and its answer: `status`, or `error` when there was none."""

    sent_at: datetime
    provider: WebhookProvider
    url: str
    events: tuple[SentEvent, ...]
    attempt: int
    headers: dict[str, str]
    body: bytes
    status: int | None
    error: str | None
    answer: str
    ms: float

    @property
    def accepted(self) -> bool:
        """Whether the receiver answered that it has the events."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - 2xx

    @property
    def refused(self) -> bool:
        """Whether the receiver asked for no further attempts, in the way its provider documents."""
        final = {"mailgun": 406, "postmark": 403}
        return self.status is not None and self.status == final.get(self.provider)


class Courier:
    """Knows the receivers, and what was sent to them."""

    def __init__(self, keys: SigningKeys, sns: Sns) -> None:
        self._keys = keys
        self._sns = sns
        self._targets: dict[WebhookProvider, Target] = {}
        self._waiting: asyncio.Queue[tuple[WebhookProvider, list[Event]]] = asyncio.Queue(MAX_WAITING)
        self._session: aiohttp.ClientSession | None = None
        self.events: Journal[Event] = Journal(max_entries=MAX_EVENTS, max_bytes=MAX_EVENTS, size=lambda _: 1)
        self.deliveries: Journal[Delivery] = Journal(
            max_entries=MAX_DELIVERIES, max_bytes=MAX_DELIVERY_BYTES, size=lambda sent: len(sent.body)
        )
        self.dropped = 0

    @property
    def targets(self) -> list[Target]:
        """The receivers."""
        return list(self._targets.values())

    @property
    def waiting(self) -> int:
        """How many emails have events that have not been sent yet."""
        return self._waiting.qsize()

    def target(self, provider: WebhookProvider) -> Target | None:
        """Where a provider's events go."""
        return self._targets.get(provider)

    def is_ready(self, target: Target) -> bool:
        """Whether events go to it: SNS waits for the confirmation."""
        return not isinstance(target, SesTarget) or self._sns.is_confirmed(target.topic_arn)

    async def replace(self, targets: Sequence[Target]) -> None:
        """Send to these in place of all others; an SNS subscription asks for its confirmation."""
        self._targets = {provider_of(target): target for target in targets}
        for target in targets:
            if isinstance(target, SesTarget):
                posting = self._sns.subscribe(target.topic_arn)
                await self.post("ses", target.url, posting, (), attempt=1)

    def announce(self, stored: StoredEmail) -> None:
        """Report the life of an email, if its provider has a receiver."""
        provider = stored.provider
        if provider == "smtp" or provider not in self._targets:
            return
        events = events_of(provider, stored)
        for event in events:
            self.events.add(event)
        # SendGrid reports many events at once, the others one by one and in any order.
        batches = [events] if provider == "sendgrid" else [[event] for event in events]
        for batch in batches:
            if self._waiting.full():
                self.dropped += len(batch)
            else:
                self._waiting.put_nowait((provider, batch))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send what is announced while the context is open."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as self._session:
            workers = [asyncio.create_task(self._work()) for _ in range(WORKERS)]
            try:
                yield
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)

    async def deliver(self, provider: WebhookProvider, events: Sequence[Event]) -> bool:
        """Send events of one request until they are accepted or the attempts are used up.

        True also for what the provider has no event for.
        """
        for attempt, pause in enumerate((*PAUSES, None), start=1):
            target = self._targets.get(provider)
            posting = self._posting(target, events) if target else None
            if target is None or posting is None:
                return target is not None
            delivery = await self.post(provider, target.url, posting, _sent(events), attempt=attempt)
            if delivery.accepted or delivery.refused or pause is None:
                return delivery.accepted
            await asyncio.sleep(pause)
        return False

    async def post(
        self,
        provider: WebhookProvider,
        url: str,
        posting: Posting,
        events: tuple[SentEvent, ...],
        *,
        attempt: int,
    ) -> Delivery:
        """Send one request, and keep it with its answer."""
        sent_at, started = now(), perf_counter()
        status, error, answer = await self._exchange(url, posting)
        delivery = Delivery(
            sent_at=sent_at,
            provider=provider,
            url=url,
            events=events,
            attempt=attempt,
            headers=dict(posting.headers),
            body=posting.body,
            status=status,
            error=error,
            answer=answer[:MAX_ANSWER],
            ms=round((perf_counter() - started) * 1000, 1),
        )
        self.deliveries.add(delivery)
        return delivery

    async def _exchange(self, url: str, posting: Posting) -> tuple[int | None, str | None, str]:
        if self._session is None:
            raise RuntimeError("The courier is not running")
        try:
            async with self._session.post(
                url, data=posting.body, headers=posting.headers, allow_redirects=False
            ) as response:
                start = await response.content.read(MAX_ANSWER)
                return response.status, None, start.decode("utf-8", "replace")
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return None, f"{type(error).__name__}: {error}", ""

    async def _work(self) -> None:
        while True:
            provider, events = await self._waiting.get()
            await self.deliver(provider, events)

    def _posting(self, target: Target, events: Sequence[Event]) -> Posting | None:
        match target:
            case SendGridTarget():
                return sendgrid_posting(events, self._keys)
            case SesTarget(topic_arn=topic) if self.is_ready(target):
                return self._sns.notify(topic, events[0].id, ses_event(events[0]))
            case PostmarkTarget():
                return postmark_posting(events[0], target)
            case MailgunTarget():
                return mailgun_posting(events[0], target)
            case ResendTarget():
                return resend_posting(events[0], target)
            case _:
                return None


def _sent(events: Sequence[Event]) -> tuple[SentEvent, ...]:
    return tuple(
        SentEvent(str(event.id), event.kind, event.recipient, event.email.reference) for event in events
    )
