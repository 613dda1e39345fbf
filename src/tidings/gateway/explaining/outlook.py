"""What a dry run answers: refused by the gateway, or taken, and then as the channels say."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from tidings.contracts.codes import Step, Verdict
from tidings.contracts.explaining import ChannelOutlook, DryRun, ExplainedStep, Would
from tidings.kit.errors import ProblemError

_BEST_FIRST = (Would.SEND, Would.WAIT, Would.UNKNOWN, Would.NOT_SEND)
_NEVER = datetime.max.replace(tzinfo=UTC)
_STEPS = {
    "unknown_user": Step.CONTACT,
    "unknown_template": Step.TEMPLATE,
    "archived_template": Step.TEMPLATE,
    "template_lacks_channel": Step.TEMPLATE,
    "missing_variable": Step.TEMPLATE,
    "invalid_variables": Step.TEMPLATE,
    "already_expired": Step.EXPIRY,
    "expires_before_sending": Step.SCHEDULE,
    "too_far_ahead": Step.SCHEDULE,
    "expires_before_fallback": Step.FALLBACK,
}


class Refusal(Exception):
    """Ends a dry run at one step of the gateway."""

    def __init__(
        self,
        step: ExplainedStep,
        detail: str,
        *,
        code: str | None = None,
        replay_of: UUID | None = None,
        would: Would = Would.NOT_SEND,
    ) -> None:
        super().__init__(detail)
        self._step = step
        self._detail = detail
        self._code = code
        self._replay_of = replay_of
        self._would = would

    def answer(self, before: Sequence[ExplainedStep]) -> DryRun:
        """What the caller hears, after the steps `before`."""
        return DryRun(
            would=self._would,
            code=self._code,
            detail=self._detail,
            replay_of=self._replay_of,
            steps=[*before, self._step],
        )


def refused(before: Sequence[ExplainedStep], error: ProblemError) -> DryRun:
    """The answer where the request itself would be refused with `error`."""
    name = _STEPS.get(error.code, Step.REQUEST)
    step = ExplainedStep(step=name, verdict=Verdict.STOPPED, detail=f"{error.code}: {error.detail}")
    return DryRun(would=Would.NOT_SEND, code=error.code, detail=error.detail, steps=[*before, step])


def taken(steps: list[ExplainedStep], channels: list[ChannelOutlook]) -> DryRun:
    """The answer where it would be accepted: as the best of its channels, and of several the soonest."""
    best = min(channels, key=lambda one: (_BEST_FIRST.index(one.would), one.until or _NEVER))
    return DryRun(
        would=best.would,
        reason=best.reason,
        detail=best.detail,
        until=best.until,
        steps=steps,
        channels=channels,
    )
