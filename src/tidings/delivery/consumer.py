"""From the broker's hands into the pipeline, and the outcome back: reported first, then settled."""

from typing import Any

import msgspec
import structlog
from prometheus_client import Counter, Histogram
from structlog.contextvars import bind_contextvars, clear_contextvars

from tidings.contracts.codes import Reason, Status, Step, Verdict
from tidings.contracts.messages import DeliveryMessage, StatusEvent
from tidings.contracts.tracing import Trace
from tidings.delivery.outcome import Attempt, Expired, Outcome, Retry, Sent
from tidings.delivery.pipeline import Pipeline
from tidings.delivery.reporting import Reporter
from tidings.delivery.routing.gate import Entry, Gate
from tidings.delivery.routing.routes import Routes
from tidings.delivery.schedule import RetrySchedule
from tidings.delivery.settling import conclude
from tidings.delivery.verdicts import parked
from tidings.kit.broker.port import BrokerUnavailable, DeadLetter, Delay, Delivery, HandBack, Settlement
from tidings.kit.ids import now
from tidings.kit.telemetry import continue_trace

BROKER_DOWN_SECONDS = 1.0
GATE_SECONDS = 300.0
"""How long a message waits in its worker for a provider, before it waits in the broker."""
_UNTROUBLED = frozenset({Status.SENT, Status.SUPPRESSED, Status.EXPIRED, Status.CANCELLED})
_AGES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400)

OUTCOMES = Counter(
    "tidings_delivery_outcomes_total", "Attempts by outcome", ["channel", "provider", "status", "reason"]
)
QUEUE_WAIT = Histogram(
    "tidings_queue_wait_seconds", "From acceptance until the first attempt", ["channel"], buckets=_AGES
)
ACCEPTED_TO_SENT = Histogram(
    "tidings_accepted_to_sent_seconds",
    "From acceptance until a provider took it",
    ["channel", "provider"],
    buckets=_AGES,
)

log = structlog.get_logger(__name__)
_decode = msgspec.json.Decoder(DeliveryMessage).decode


class DeliveryConsumer:
    """The handler of a channel's work queues."""

    def __init__(
        self,
        pipeline: Pipeline[Any, Any],
        routes: Routes[Any, Any],
        gate: Gate,
        reporter: Reporter,
        schedule: RetrySchedule,
    ) -> None:
        self._pipeline = pipeline
        self._routes = routes
        self._gate = gate
        self._reporter = reporter
        self._schedule = schedule

    async def __call__(self, delivery: Delivery) -> Settlement:
        """Deliver one broker message."""
        clear_contextvars()
        continue_trace(delivery.message.headers)
        try:
            message = _decode(delivery.message.body)
        except msgspec.DecodeError as error:
            log.warning("malformed_message", message_id=delivery.message.id, error=str(error))
            return DeadLetter(Reason.MALFORMED_MESSAGE, str(error))
        bind_contextvars(notification_id=str(message.notification_id), attempt=delivery.attempt)
        trace = Trace()
        attempt = await self._through_the_gate(message, delivery, trace)
        if attempt is None:
            return HandBack()
        events, settlement = conclude(message, delivery, attempt, self._schedule)
        if events:  # the first is the notification's own
            events[0] = msgspec.structs.replace(events[0], trace=trace.decisions)
        for event in events:
            _note(message, event, attempt.outcome)
        try:
            await self._reporter.report(*events)
        except BrokerUnavailable:
            return Delay(BROKER_DOWN_SECONDS, counted=False)
        return settlement

    async def _through_the_gate(
        self, message: DeliveryMessage, delivery: Delivery, trace: Trace
    ) -> Attempt | None:
        """What became of it once a provider could be tried; None when the worker stops before."""
        if message.sandbox:  # no provider has a part in it
            return await self._attempt(message, delivery, trace)
        limit = GATE_SECONDS
        if message.expires_at is not None:
            limit = min(limit, (message.expires_at - now()).total_seconds())
        async with self._gate.entered(limit) as entry:
            match entry:
                case Entry.STOPPING:
                    return None
                case Entry.HELD:
                    for route in self._routes.by_name.values():
                        trace.note(Step.PROVIDER, Verdict.SKIPPED, route.skipped())
                    return Attempt(Expired() if limit < GATE_SECONDS else parked(self._routes.held()))
                case Entry.OPEN | Entry.IN_TURN:
                    return await self._attempt(message, delivery, trace)

    async def _attempt(self, message: DeliveryMessage, delivery: Delivery, trace: Trace) -> Attempt:
        first = delivery.attempt == 1 and not delivery.redelivered
        if first:
            QUEUE_WAIT.labels(message.channel).observe((now() - message.accepted_at).total_seconds())
        try:
            return await self._pipeline.deliver(message, trace, first=first)
        except Exception as error:
            # A bug of ours must not keep a notification from a recorded end.
            log.exception("delivery_raised")
            return Attempt(Retry(Reason.OUTCOME_UNKNOWN, f"An unexpected error: {error!r}"))


def _note(message: DeliveryMessage, event: StatusEvent, outcome: Outcome) -> None:
    provider = event.provider or ""
    level = log.info if event.status in _UNTROUBLED else log.warning
    level(
        "delivery",
        status=event.status,
        reason=event.reason,
        provider=provider,
        target=event.target,
        detail=event.detail,
    )
    if event.target is not None:
        return
    OUTCOMES.labels(message.channel, provider, event.status, event.reason or "").inc()
    if isinstance(outcome, Sent) and not outcome.repeated:
        waited = (event.at - message.accepted_at).total_seconds()
        ACCEPTED_TO_SENT.labels(message.channel, provider).observe(waited)
