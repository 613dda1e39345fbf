"""From what providers answered to one outcome."""

from collections.abc import Sequence
from dataclasses import replace

from tidings.contracts.codes import ErrorOwner, Reason, WhenAmbiguous
from tidings.delivery.claiming import unknown_outcome
from tidings.delivery.outcome import (
    Ambiguous,
    Cancelled,
    Expired,
    Failed,
    Held,
    Outcome,
    Refused,
    Retry,
    Sent,
    Suppressed,
)

CREDENTIAL_SECONDS = 60.0

REASONS = {
    ErrorOwner.RECIPIENT: Reason.RECIPIENT_REFUSED,
    ErrorOwner.CONTENT: Reason.CONTENT_REFUSED,
    ErrorOwner.CREDENTIAL: Reason.CREDENTIAL_REFUSED,
    ErrorOwner.THROTTLE: Reason.PROVIDER_THROTTLED,
    ErrorOwner.OUTAGE: Reason.PROVIDER_UNAVAILABLE,
    ErrorOwner.AMBIGUOUS: Reason.OUTCOME_UNKNOWN,
}
"""The reason that stands in timelines for whose error it was."""


def outcome_of(refused: Refused, when_ambiguous: WhenAmbiguous) -> Outcome:
    """What a refusal means for the message."""
    reason, provider, detail = REASONS[refused.owner], refused.provider, refused.detail
    match refused.owner:
        case ErrorOwner.RECIPIENT | ErrorOwner.CONTENT:
            return Failed(reason, detail, provider)
        case ErrorOwner.THROTTLE | ErrorOwner.OUTAGE:
            return Retry(reason, detail, provider, after=refused.retry_after)
        case ErrorOwner.CREDENTIAL:
            after = refused.retry_after or CREDENTIAL_SECONDS
            # An operator has to act, which shall cost no attempt; about one device alone nobody may ever.
            return Retry(reason, detail, provider, after=after, counted=not refused.provider_wide)
        case ErrorOwner.AMBIGUOUS if when_ambiguous in {WhenAmbiguous.WAIT, WhenAmbiguous.GIVE_UP}:
            return unknown_outcome(when_ambiguous, detail, provider)
        case ErrorOwner.AMBIGUOUS:
            return Ambiguous(detail, provider)


def parked(held: Held) -> Retry:
    """A wait for a provider, which uses up no attempt."""
    return Retry(held.reason, held.detail, after=held.after, counted=False)


def combine(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome for several targets: the best news wins. What is left to do stands in `Sent.again`."""
    ranked = (Sent, Cancelled, Retry, Ambiguous, Suppressed, Expired, Failed)
    best = min(outcomes, key=lambda outcome: ranked.index(type(outcome)))
    waits = [
        again(one) if isinstance(one, Ambiguous) else one
        for one in outcomes
        if isinstance(one, Retry | Ambiguous)
    ]
    if isinstance(best, Sent):
        return replace(best, again=_longest(waits)) if waits else best
    # The other devices would find it cancelled as well.
    return _longest(waits) if waits and not isinstance(best, Cancelled) else best


def again(unknown: Ambiguous) -> Retry:
    """The wait before a message whose outcome is unknown is sent again, with the same ids."""
    return Retry(Reason.OUTCOME_UNKNOWN, unknown.detail, unknown.provider)


def _longest(waits: Sequence[Retry]) -> Retry:
    """Of several waits the longest; an attempt is used up if it is for any of them."""
    longest = max(waits, key=lambda wait: wait.after or 0)
    return replace(longest, counted=any(wait.counted for wait in waits))
