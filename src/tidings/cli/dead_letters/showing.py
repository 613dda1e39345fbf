"""Dead letters as a person reads them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

from tidings.cli.tables import moment, out, table
from tidings.contracts.dead_letters import (
    DeadLetter,
    DeadLetterDetail,
    DeadLetterGroup,
    ReplayedAs,
    ReplayJob,
    ReplayPlan,
)
from tidings.contracts.notifications import TimelineEvent

DETAIL_CHARS = 100


def show_list(letters: Sequence[DeadLetter], *, more: bool) -> None:
    """One line for each dead letter."""
    rows = [("ID", "RECORDED", "REASON", "TEMPLATE", "USER", "DETAIL")]
    rows += [
        (
            str(one.id),
            moment(one.recorded_at),
            one.reason,
            one.template_id or "-",
            one.user_id or "-",
            _short(f"{_marks(one)}{one.detail}"),
        )
        for one in letters
    ]
    table(rows)
    if more:
        out("There are more: narrow it with a filter, or raise --limit.")


def show_groups(groups: Sequence[DeadLetterGroup], *, more: bool) -> None:
    """One line for each group, the largest first."""
    rows = [("GROUP", "COUNT", "REPLAYED", "LAST", "REASON", "PROVIDER", "TEMPLATE", "CAUSE")]
    rows += [
        (
            one.group,
            str(one.count),
            str(one.replayed),
            moment(one.last_at),
            one.reason,
            one.provider or "-",
            one.template_id or "-",
            _short(one.cause),
        )
        for one in groups
    ]
    table(rows)
    if more:
        out("There are more: narrow it with a filter, or raise --limit.")


def show_letter(letter: DeadLetterDetail) -> None:
    """All that is known of one: why, what, each attempt, and its replays."""
    out(f"{letter.id}  {letter.reason}: {letter.detail}")
    pairs: list[tuple[str, Any]] = [
        ("notification", letter.notification_id),
        ("recorded", letter.recorded_at),
        ("group", letter.group),
        ("queue", letter.queue),
        ("provider", letter.provider),
        ("expires", letter.expires_at),
    ]
    if letter.message is not None:
        wanted = ("channel", "user_id", "template_id", "template_version", "locale", "variables")
        pairs += [(name, getattr(letter.message, name)) for name in wanted]
    table([(f"  {name}", _text(value)) for name, value in pairs if value is not None])
    if letter.body is not None:
        out(f"This is no message of ours:\n{letter.body}")
    if letter.edits is not None:
        edits = msgspec.structs.asdict(letter.edits)
        out("edited, for a replay")
        table([(f"  {name}", _text(value)) for name, value in edits.items() if value is not UNSET])
    out("attempts")
    table([_attempt(one) for one in letter.attempts])
    if letter.replays:
        out("replayed as")
        table([_replay(one) for one in letter.replays])


def show_plan(plan: ReplayPlan) -> None:
    """What a replay would do."""
    out(f"{plan.matched} match, {plan.replayable} would be replayed{_skipped(plan.skipped)}")


def show_job(job: ReplayJob) -> None:
    """How far a replay has come, in one line."""
    rest = f", {job.remaining} remain" if job.remaining else ""
    out(f"{job.state}: {job.replayed} of {job.matched} replayed{_skipped(job.skipped)}{rest}")


def _skipped(skipped: dict[str, int]) -> str:
    if not skipped:
        return ""
    named = ", ".join(f"{count} {reason}" for reason, count in skipped.items())
    return f", {sum(skipped.values())} skipped ({named})"


def _marks(letter: DeadLetter) -> str:
    return ("[replayed] " if letter.replayed_as else "") + ("[edited] " if letter.edited else "")


def _attempt(event: TimelineEvent) -> tuple[str, ...]:
    words = " ".join(str(part) for part in (event.provider, event.reason, event.detail) if part)
    attempt = f"attempt {event.attempt}" if event.attempt else ""
    return (f"  {moment(event.at)}", event.status, attempt, words)


def _replay(one: ReplayedAs) -> tuple[str, ...]:
    return (f"  {one.id}", moment(one.accepted_at), one.status, one.reason or "")


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return moment(value)
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else str(value)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= DETAIL_CHARS else f"{line[: DETAIL_CHARS - 1]}…"
