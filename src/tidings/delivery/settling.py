"""From an attempt to what is reported of it, and what becomes of its broker message."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import DeliveryMessage, StatusEvent
from tidings.delivery.outcome import (
    Ambiguous,
    Attempt,
    Cancelled,
    Expired,
    Failed,
    Outcome,
    Retry,
    Sent,
    Suppressed,
)
from tidings.delivery.schedule import RetrySchedule
from tidings.delivery.verdicts import again
from tidings.kit.broker.port import Acknowledge, DeadLetter, Delay, Delivery, Settlement
from tidings.kit.ids import now

DETAIL_CHARS = 1_000


def conclude(
    message: DeliveryMessage, delivery: Delivery, attempt: Attempt, schedule: RetrySchedule
) -> tuple[list[StatusEvent], Settlement]:
    """The events to report, the notification's own first, and then the settlement."""
    return _Conclusion(message, delivery, schedule).of(attempt)


class _Conclusion:
    def __init__(self, message: DeliveryMessage, delivery: Delivery, schedule: RetrySchedule) -> None:
        self._message = message
        self._attempt = delivery.attempt
        self._redelivered = delivery.redelivered
        self._schedule = schedule

    def of(self, attempt: Attempt) -> tuple[list[StatusEvent], Settlement]:
        own, settlement = self._settle(attempt.outcome)
        if attempt.targets and self._reported_before(attempt.outcome):
            return list(self._of_targets(attempt, settlement)), settlement
        return [own, *self._of_targets(attempt, settlement)], settlement

    def _settle(self, outcome: Outcome) -> tuple[StatusEvent, Settlement]:
        match outcome:
            case Sent():
                return self._sent(outcome), self._rest_of(outcome)
            case Failed(reason, detail, provider):
                failed = self._event(Status.FAILED, reason=reason, detail=detail, provider=provider)
                return failed, DeadLetter(reason, detail[:DETAIL_CHARS])
            case Suppressed() | Expired() | Cancelled():
                return self._left_unsent(outcome), Acknowledge()
            case Ambiguous():
                return self._try_again(again(outcome))
            case Retry():
                return self._try_again(outcome)

    def _left_unsent(self, outcome: Suppressed | Expired | Cancelled) -> StatusEvent:
        match outcome:
            case Suppressed(reason, detail):
                return self._event(Status.SUPPRESSED, reason=reason, detail=detail)
            case Expired():
                return self._event(Status.EXPIRED, reason=Reason.EXPIRED)
            case Cancelled():
                # With the identity of the gateway's own event, so that the timeline has it once.
                return self._event(Status.CANCELLED, attempt=0)

    def _rest_of(self, sent: Sent) -> Settlement:
        """A notification that was sent is no dead letter, whatever becomes of the other devices."""
        if sent.again is None or self._exhausted(sent.again):
            return Acknowledge()
        return self._delay(sent.again)

    def _try_again(self, retry: Retry) -> tuple[StatusEvent, Settlement]:
        if self._exhausted(retry):
            given_up = self._given_up(Status.DEAD_LETTERED, retry)
            return given_up, DeadLetter(Reason.ATTEMPTS_EXHAUSTED, given_up.detail or "")
        delay = self._delay(retry)
        return self._waiting(retry, delay), delay

    def _of_targets(self, attempt: Attempt, settlement: Settlement) -> Iterator[StatusEvent]:
        for key, outcome in attempt.targets.items():
            match outcome:
                case Sent() if not self._reported_before(outcome):
                    yield self._sent(outcome, target=key)
                case Failed(reason, detail, provider):
                    yield self._event(
                        Status.FAILED, reason=reason, detail=detail, provider=provider, target=key
                    )
                case Retry() | Ambiguous():
                    retry = again(outcome) if isinstance(outcome, Ambiguous) else outcome
                    if isinstance(settlement, Delay):
                        yield self._waiting(retry, settlement, target=key)
                    else:
                        yield self._given_up(Status.FAILED, retry, target=key)
                case _:
                    pass

    def _reported_before(self, outcome: Outcome) -> bool:
        # An attempt is settled by a delay only after its report is durable.
        return isinstance(outcome, Sent) and outcome.repeated and self._attempt > 1 and not self._redelivered

    def _exhausted(self, retry: Retry) -> bool:
        return retry.counted and self._schedule.exhausted(self._attempt)

    def _delay(self, retry: Retry) -> Delay:
        return Delay(self._schedule.delay(self._attempt, retry.after), counted=retry.counted)

    def _sent(self, sent: Sent, **known: Any) -> StatusEvent:  # noqa: ANN401 - as for _event
        taken = sent.taken
        words = {"provider": taken.provider, "provider_ref": taken.provider_ref, "detail": taken.detail}
        return self._event(Status.SENT, at=taken.at, **words, **known)

    def _waiting(self, retry: Retry, delay: Delay, **known: Any) -> StatusEvent:  # noqa: ANN401 - as for _event
        at = now()
        return self._event(
            Status.RETRYING if retry.counted else Status.PARKED,
            at=at,
            reason=retry.reason,
            detail=retry.detail,
            provider=retry.provider,
            next_attempt_at=at + timedelta(seconds=delay.seconds),
            **known,
        )

    def _given_up(self, status: Status, retry: Retry, **known: Any) -> StatusEvent:  # noqa: ANN401 - as for _event
        words = f"Given up after {self._attempt} attempts ({retry.reason}). The last one: {retry.detail}"
        return self._event(
            status, reason=Reason.ATTEMPTS_EXHAUSTED, detail=words, provider=retry.provider, **known
        )

    def _event(self, status: Status, **known: Any) -> StatusEvent:  # noqa: ANN401 - StatusEvent checks them
        detail = known.pop("detail", None)
        return StatusEvent(
            notification_id=self._message.notification_id,
            status=status,
            detail=detail[:DETAIL_CHARS] if detail else detail,
            **{"at": now(), "attempt": self._attempt, **known},
        )
