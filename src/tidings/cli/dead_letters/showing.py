"""Dead letters as a person reads them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET
from rich.console import Console

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


def show_json(value: object) -> None:
    """As the API answers."""
    _out(msgspec.json.format(msgspec.json.encode(value)).decode())


def show_list(letters: Sequence[DeadLetter], *, more: bool) -> None:
    """One line for each dead letter."""
    rows = [("ID", "RECORDED", "REASON", "TEMPLATE", "USER", "DETAIL")]
    rows += [
        (
            str(one.id),
            f"{one.recorded_at:%Y-%m-%d %H:%M:%S}",
            one.reason,
            one.template_id or "-",
            one.user_id or "-",
            _short(f"{_marks(one)}{one.detail}"),
        )
        for one in letters
    ]
    _table(rows)
    if more:
        _out("There are more: narrow it with a filter, or raise --limit.")


def show_groups(groups: Sequence[DeadLetterGroup], *, more: bool) -> None:
    """One line for each group, the largest first."""
    rows = [("GROUP", "COUNT", "REPLAYED", "LAST", "REASON", "PROVIDER", "TEMPLATE", "CAUSE")]
    rows += [
        (
            one.group,
            str(one.count),
            str(one.replayed),
            f"{one.last_at:%Y-%m-%d %H:%M:%S}",
            one.reason,
            one.provider or "-",
            one.template_id or "-",
            _short(one.cause),
        )
        for one in groups
    ]
    _table(rows)
    if more:
        _out("There are more: narrow it with a filter, or raise --limit.")


def show_letter(letter: DeadLetterDetail) -> None:
    """All that is known of one: why, what, each attempt, and its replays."""
    _out(f"{letter.id}  {letter.reason}: {letter.detail}")
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
    _table([(f"  {name}", _text(value)) for name, value in pairs if value is not None])
    if letter.body is not None:
        _out(f"This is no message of ours:\n{letter.body}")
    if letter.edits is not None:
        edits = msgspec.structs.asdict(letter.edits)
        _out("edited, for a replay")
        _table([(f"  {name}", _text(value)) for name, value in edits.items() if value is not UNSET])
    _out("attempts")
    _table([_attempt(one) for one in letter.attempts])
    if letter.replays:
        _out("replayed as")
        _table([_replay(one) for one in letter.replays])


def show_plan(plan: ReplayPlan) -> None:
    """What a replay would do."""
    _out(f"{plan.matched} match, {plan.replayable} would be replayed{_skipped(plan.skipped)}")


def show_job(job: ReplayJob) -> None:
    """How far a replay has come, in one line."""
    rest = f", {job.remaining} remain" if job.remaining else ""
    _out(f"{job.state}: {job.replayed} of {job.matched} replayed{_skipped(job.skipped)}{rest}")


def _skipped(skipped: dict[str, int]) -> str:
    if not skipped:
        return ""
    named = ", ".join(f"{count} {reason}" for reason, count in skipped.items())
    return f", {sum(skipped.values())} skipped ({named})"


def _marks(letter: DeadLetter) -> str:
    return ("[replayed] " if letter.replayed_as else "") + ("[edited] " if letter.edited else "")


def _attempt(event: TimelineEvent) -> tuple[str, ...]:
    words = " ".join(str(part) for part in (event.provider, event.reason, event.detail) if part)
    return (f"  {event.at:%Y-%m-%d %H:%M:%S}", f"{event.status}", f"attempt {event.attempt}", words)


def _replay(one: ReplayedAs) -> tuple[str, ...]:
    return (f"  {one.id}", f"{one.accepted_at:%Y-%m-%d %H:%M:%S}", one.status, one.reason or "")


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else str(value)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= DETAIL_CHARS else f"{line[: DETAIL_CHARS - 1]}…"


def _table(rows: Sequence[Sequence[str]]) -> None:
    # Unwrapped whatever the terminal's width, so that ids can be copied and lines be searched.
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        _out("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _out(text: str) -> None:
    Console().out(text, highlight=False)
