"""What the OpenAPI document shows of explanations and dry runs: one email, held back for the night."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example

from tidings.contracts.codes import Channel, Reason, Status, Step, Verdict
from tidings.contracts.explaining import ChannelOutlook, DryRun, ExplainedStep, Explanation, Would
from tidings.kit.moments import written

ID = UUID("01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5a")
AT = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
MORNING = datetime(2026, 2, 1, 6, tzinfo=UTC)
WORDS = f"The user's quiet hours end at {written(MORNING)}"

_TRACE = [
    (Step.CONTACT, Verdict.PASSED, None),
    (Step.TEMPLATE, Verdict.PASSED, "welcome, version 3"),
    (Step.SUPPRESSION, Verdict.PASSED, None),
    (Step.CHANNEL_PREFERENCE, Verdict.PASSED, "email"),
    (Step.CATEGORY_PREFERENCE, Verdict.PASSED, "news"),
    (Step.QUIET_HOURS, Verdict.WAITS, f"until {written(MORNING)}"),
]
EXPLANATION = Explanation(
    id=ID,
    status=Status.PARKED,
    settled=False,
    reason=Reason.QUIET_HOURS,
    summary=f"It waits, until {written(MORNING)}: {WORDS} (quiet_hours).",
    waits_for=f"{WORDS} (quiet_hours)",
    until=MORNING,
    steps=[
        ExplainedStep(step=Step.ACCEPTED, verdict=Verdict.PASSED, at=AT, detail="from `shop`"),
        ExplainedStep(
            step=Step.TEMPLATE, verdict=Verdict.PASSED, at=AT, detail="welcome, version 3 is pinned"
        ),
        ExplainedStep(
            step=Step.DISPATCH,
            verdict=Verdict.PASSED,
            at=AT + timedelta(milliseconds=10),
            detail="email.queue, lane normal",
        ),
        *(
            ExplainedStep(
                step=step,
                verdict=verdict,
                at=AT + timedelta(milliseconds=40),
                attempt=1,
                detail=detail,
            )
            for step, verdict, detail in _TRACE
        ),
        ExplainedStep(
            step=Step.STATUS,
            verdict=Verdict.WAITS,
            at=AT + timedelta(milliseconds=40),
            attempt=1,
            status=Status.PARKED,
            reason=Reason.QUIET_HOURS,
            detail=WORDS,
            until=MORNING,
        ),
    ],
)
DRY_RUN = DryRun(
    would=Would.WAIT,
    reason=Reason.QUIET_HOURS,
    detail=WORDS,
    until=MORNING,
    steps=[
        ExplainedStep(step=Step.IDEMPOTENCY, verdict=Verdict.PASSED),
        ExplainedStep(step=Step.LIMITS, verdict=Verdict.PASSED),
        ExplainedStep(step=Step.REQUEST, verdict=Verdict.PASSED),
        ExplainedStep(
            step=Step.TEMPLATE, verdict=Verdict.PASSED, detail="welcome, version 3 would be pinned"
        ),
    ],
    channels=[
        ChannelOutlook(
            channel=Channel.EMAIL,
            would=Would.WAIT,
            reason=Reason.QUIET_HOURS,
            detail=WORDS,
            until=MORNING,
            steps=[
                ExplainedStep(step=step, verdict=verdict, detail=detail) for step, verdict, detail in _TRACE
            ],
        )
    ],
)

EXPLAINED_ANSWER = ResponseSpec(
    Explanation, description="The decisions, in order", examples=[Example(value=EXPLANATION)]
)
DRY_RUN_ANSWER = ResponseSpec(
    DryRun,
    description="With `dry_run=true`: what would become of it. Nothing was sent, stored or counted",
    examples=[Example(value=DRY_RUN)],
)
