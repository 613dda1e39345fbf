"""From the broker's hands into the pipeline, and the outcome back: reported first, then settled."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import structlog
from prometheus_client import Counter, Histogram
from structlog.contextvars import bind_contextvars, clear_contextvars

from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import DeliveryMessage, StatusEvent
from tidings.delivery.outcome import Ambiguous, Expired, Failed, Outcome, Retry, Sent, Suppressed
from tidings.delivery.pipeline import Pipeline
from tidings.delivery.reporting import Reporter
from tidings.delivery.schedule import RetrySchedule
from tidings.kit.broker.port import (
    Acknowledge,
    BrokerUnavailable,
    DeadLetter,
    Delay,
    Delivery,
    Settlement,
)
from tidings.kit.ids import now
from tidings.kit.telemetry import continue_trace

DETAIL_CHARS = 1_000
BROKER_DOWN_SECONDS = 1.0

OUTCOMES = Counter(
    "tidings_delivery_outcomes_total", "Attempts by outcome", ["channel", "provider", "status", "reason"]
)
ACCEPTED_TO_SENT = Histogram(
    "tidings_accepted_to_sent_seconds",
    "From acceptance until a provider took it",
    ["channel", "provider"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400),
)

log = structlog.get_logger(__name__)
_decode = msgspec.json.Decoder(DeliveryMessage).decode


class DeliveryConsumer:
    """The handler of a channel's work queue."""

    def __init__(
        self,
        pipeline: Pipeline[Any, Any],
        reporter: Reporter,
        schedule: RetrySchedule,
    ) -> None:
        self._pipeline = pipeline
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
        outcome = await self._outcome_of(message, delivery)
        event, settlement = self._conclude(message, delivery.attempt, outcome)
        self._note(message, event, outcome)
        try:
            await self._reporter.report(event)
        except BrokerUnavailable:
            return Delay(BROKER_DOWN_SECONDS, counted=False)
        return settlement

    async def _outcome_of(self, message: DeliveryMessage, delivery: Delivery) -> Outcome:
        try:
            return await self._pipeline.deliver(message, redelivered=delivery.redelivered)
        except Exception as error:
            # A bug of ours must not keep a notification from a recorded end.
            log.exception("delivery_raised")
            return Retry(Reason.OUTCOME_UNKNOWN, f"An unexpected error: {error!r}")

    def _conclude(
        self, message: DeliveryMessage, attempt: int, outcome: Outcome
    ) -> tuple[StatusEvent, Settlement]:
        def event(status: Status, **known: Any) -> StatusEvent:  # noqa: ANN401 - StatusEvent checks them
            return StatusEvent(
                notification_id=message.notification_id,
                status=status,
                attempt=attempt,
                **{"at": now(), **known},
            )

        match outcome:
            case Sent(taken):
                known = {"at": taken.at, "provider": taken.provider, "provider_ref": taken.provider_ref}
                return event(Status.SENT, **known, detail=taken.detail), Acknowledge()
            case Failed(reason, detail, provider):
                failed = event(Status.FAILED, reason=reason, detail=detail[:DETAIL_CHARS], provider=provider)
                return failed, DeadLetter(reason, detail[:DETAIL_CHARS])
            case Suppressed(reason, detail):
                return event(Status.SUPPRESSED, reason=reason, detail=detail), Acknowledge()
            case Expired():
                return event(Status.EXPIRED, reason=Reason.EXPIRED), Acknowledge()
            case Ambiguous(detail, provider):
                # The default policy is at least once: try again, with the same ids.
                again = Retry(Reason.OUTCOME_UNKNOWN, detail, provider)
                return self._try_again(attempt, again, event)
            case Retry():
                return self._try_again(attempt, outcome, event)

    def _try_again(
        self, attempt: int, retry: Retry, event: Callable[..., StatusEvent]
    ) -> tuple[StatusEvent, Settlement]:
        detail = retry.detail[:DETAIL_CHARS]
        if retry.counted and self._schedule.exhausted(attempt):
            words = f"Given up after {attempt} attempts ({retry.reason}). The last one: {detail}"[
                :DETAIL_CHARS
            ]
            given_up = event(
                Status.DEAD_LETTERED,
                reason=Reason.ATTEMPTS_EXHAUSTED,
                detail=words,
                provider=retry.provider,
            )
            return given_up, DeadLetter(Reason.ATTEMPTS_EXHAUSTED, words)
        seconds = self._schedule.delay(attempt, retry.after)
        waiting = event(
            Status.RETRYING if retry.counted else Status.PARKED,
            reason=retry.reason,
            detail=detail,
            provider=retry.provider,
            next_attempt_at=now() + timedelta(seconds=seconds),
        )
        return waiting, Delay(seconds, counted=retry.counted)

    def _note(self, message: DeliveryMessage, event: StatusEvent, outcome: Outcome) -> None:
        provider = event.provider or ""
        OUTCOMES.labels(message.channel, provider, event.status, event.reason or "").inc()
        if isinstance(outcome, Sent) and not outcome.repeated:
            waited = (event.at - message.accepted_at).total_seconds()
            ACCEPTED_TO_SENT.labels(message.channel, provider).observe(waited)
        level = log.info if event.status in {Status.SENT, Status.SUPPRESSED, Status.EXPIRED} else log.warning
        level("delivery", status=event.status, reason=event.reason, provider=provider, detail=event.detail)
