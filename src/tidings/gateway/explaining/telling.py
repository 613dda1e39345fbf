"""From what is recorded of a notification to one ordered list of decisions."""

from collections.abc import Iterator
from datetime import datetime

from tidings.contracts.codes import Status, Step, Verdict
from tidings.contracts.explaining import ExplainedStep, Explanation
from tidings.contracts.messages import Decision
from tidings.contracts.notifications import Notification, TimelineEvent
from tidings.contracts.queues import work_queue
from tidings.gateway.explaining.store import Background
from tidings.gateway.explaining.summing_up import awaited, summary

_GOOD = {Status.SENT, Status.DELIVERED}


def explanation(found: Notification, background: Background) -> Explanation:
    """How a notification, read with its timeline, came to where it is."""
    waits = awaited(found, background)
    return Explanation(
        id=found.id,
        status=found.status,
        settled=found.settled,
        reason=found.reason,
        summary=summary(found, waits),
        waits_for=waits.what if waits else None,
        until=waits.until if waits else None,
        dead_letter_id=background.dead_letter_id,
        replay_of=found.replay_of,
        replays=background.replays,
        group_id=background.group_id,
        fallback_of=background.fallback_of,
        fallback_id=background.fallback_id,
        schedule_id=found.schedule_id,
        steps=list(_steps(found, background)),
    )


def step_of(decision: Decision, *, at: datetime | None = None, attempt: int = 0) -> ExplainedStep:
    """A worker's decision; a verdict of a newer worker than this gateway counts as unknown."""
    verdict = Verdict(decision.verdict) if decision.verdict in _VERDICTS else Verdict.UNKNOWN
    return ExplainedStep(step=decision.step, verdict=verdict, detail=decision.detail, at=at, attempt=attempt)


_VERDICTS = frozenset(Verdict)


def _steps(found: Notification, background: Background) -> Iterator[ExplainedStep]:
    for event in found.timeline:
        if event.status is Status.ACCEPTED:
            yield from _accepted(found, background, event)
        elif event.status is Status.QUEUED:
            queue = work_queue(found.channel, found.priority)
            words = f"{queue}, lane {found.priority}"
            yield ExplainedStep(step=Step.DISPATCH, verdict=Verdict.PASSED, at=event.at, detail=words)
        elif event.status is Status.SCHEDULED:
            yield _scheduled(background, event)
        else:
            trace = background.trace_of(event)
            yield from (step_of(one, at=event.at, attempt=event.attempt) for one in trace)
            yield _event(event)
    if background.dead_letter_id is not None:
        words = f"kept as {background.dead_letter_id}"
        yield ExplainedStep(step=Step.DEAD_LETTER, verdict=Verdict.PASSED, detail=words)
    for replay in background.replays:
        yield ExplainedStep(step=Step.REPLAY, verdict=Verdict.PASSED, detail=f"replayed as {replay}")


def _accepted(found: Notification, background: Background, event: TimelineEvent) -> Iterator[ExplainedStep]:
    def step(name: Step, verdict: Verdict, detail: str) -> ExplainedStep:
        return ExplainedStep(step=name, verdict=verdict, at=event.at, detail=detail)

    sandbox = ", which is a test key" if found.sandbox else ""
    yield step(Step.ACCEPTED, Verdict.PASSED, f"from `{background.caller}`{sandbox}")
    if found.template_version is None:
        yield step(Step.TEMPLATE, Verdict.UNKNOWN, f"{found.template_id} was not checked: the worker does it")
    else:
        words = f"{found.template_id}, version {found.template_version} is pinned"
        yield step(Step.TEMPLATE, Verdict.PASSED, words)
    if found.replay_of is not None:
        yield step(Step.REPLAY, Verdict.PASSED, f"it repeats {found.replay_of}")
    if background.fallback_id is not None:
        yield step(Step.FALLBACK, Verdict.PASSED, f"its fallback is {background.fallback_id}")


def _scheduled(background: Background, event: TimelineEvent) -> ExplainedStep:
    name, words = Step.SCHEDULE, None
    if background.fallback_of is not None:
        name = Step.FALLBACK
        words = f"unless {background.fallback_of} is {background.fallback_unless} first"
    return ExplainedStep(
        step=name, verdict=Verdict.WAITS, at=event.at, until=event.next_attempt_at, detail=words
    )


def _event(event: TimelineEvent) -> ExplainedStep:
    if event.status in _GOOD:
        verdict = Verdict.PASSED
    else:
        verdict = Verdict.STOPPED if event.status.settled else Verdict.WAITS
    return ExplainedStep(
        step=Step.STATUS,
        verdict=verdict,
        at=event.at,
        attempt=event.attempt,
        status=event.status,
        reason=event.reason,
        detail=event.detail,
        provider=event.provider,
        until=event.next_attempt_at,
        target=event.target,
    )
