"""`tidings explain`: the decisions about a notification, for a person to read."""

from collections.abc import Sequence
from itertools import groupby
from uuid import UUID

from tidings.cli.answers import explained
from tidings.cli.tables import moment, out, table
from tidings.cli.target import Target
from tidings.client.sdk import Tidings
from tidings.contracts.codes import Step, Verdict
from tidings.contracts.explaining import ExplainedStep, Explanation

_STYLES = {Verdict.STOPPED: "red", Verdict.WAITS: "yellow", Verdict.UNKNOWN: "magenta"}
AT_WIDTH = len("2026-01-31T12:00:00.000Z")
NAME_WIDTH = max(map(len, Step))
VERDICT_WIDTH = max(map(len, Verdict))
"""So that the columns of all attempts stand below one another."""


async def fetch(target: Target, notification_id: UUID) -> Explanation:
    """Why a notification is where it is.

    Raises:
        CannotContinue: it is not known, or there is no answer.
    """
    with explained(target.url):
        async with Tidings(target.url, target.api_key) as tidings:
            return await tidings.notifications.explain(notification_id)


def show(explanation: Explanation) -> None:
    """The state in a sentence, then each decision, the attempts apart."""
    reason = f" ({explanation.reason})" if explanation.reason else ""
    out(f"{explanation.id}  {explanation.status}{reason}")
    out(explanation.summary)
    for attempt, steps in groupby(explanation.steps, lambda step: step.attempt):
        out(f"\nattempt {attempt}" if attempt else "")
        made = list(steps)
        rows = [(f"  {_at(step):{AT_WIDTH}}", *_row(step)) for step in made]
        table(rows, styles=[_STYLES.get(step.verdict) for step in made])


def show_steps(steps: Sequence[ExplainedStep]) -> None:
    """Decisions that would be made, which have no times."""
    rows = [(" ", *_row(step)) for step in steps]
    if rows:
        table(rows, styles=[_STYLES.get(step.verdict) for step in steps])


def _at(step: ExplainedStep) -> str:
    return moment(step.at, exact=True) if step.at else ""


def _row(step: ExplainedStep) -> tuple[str, ...]:
    parts = (step.status, step.provider, step.reason, step.target, step.detail)
    words = " ".join(str(part) for part in parts if part)
    if step.until:
        words = ", ".join(part for part in (words, f"until {moment(step.until)}") if part)
    return (step.step.ljust(NAME_WIDTH), step.verdict.ljust(VERDICT_WIDTH), words)
