"""The options that say what is to be sent, to whom, how and when."""

import functools
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click

from tidings.contracts.codes import Channel, Priority, Reached
from tidings.contracts.notifications import Fallback, NewNotification
from tidings.contracts.schedules import NewSchedule, RecurringNotification

MOMENT = "2027-01-31T09:00:00Z or 2027-01-31T09:00:00+01:00"
WALL = "2027-01-31T09:00:00"

_CHANNELS = click.Choice([one.value for one in Channel])


def notification_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command have `wanted`, a `NewNotification` that its options make."""
    return _with_wanted(command, [*_CONTENT, *_ONCE], (*_OF_CONTENT, *_OF_ONCE), _notification)


def schedule_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command have `wanted`, a `NewSchedule` that its options make."""
    return _with_wanted(command, [*_RECURRENCE, *_CONTENT], (*_OF_RECURRENCE, *_OF_CONTENT), _schedule)


def _with_wanted(
    command: Callable[..., None],
    options: Sequence[Callable[..., Any]],
    names: Sequence[str],
    make: Callable[..., object],
) -> Callable[..., None]:
    @functools.wraps(command)
    def with_wanted(**given: Any) -> None:  # noqa: ANN401 - click's options
        asked = {name: given.pop(name) for name in names}
        command(wanted=make(**asked), **given)

    for option in reversed(options):
        with_wanted = option(with_wanted)
    return with_wanted


def _notification(**asked: Any) -> NewNotification:  # noqa: ANN401 - click's options
    once = {name: asked.pop(name) for name in _OF_ONCE}
    if once["send_at"] is not None and once["send_at_local"] is not None:
        raise click.UsageError("Give --send-at or --send-at-local, one of the two.")
    if once["dedupe_seconds"] is not None and once["dedupe_key"] is None:
        raise click.UsageError("--dedupe-seconds says how long a --dedupe-key holds. Give that too.")
    return NewNotification(**_content(**asked), **once)


def _schedule(**asked: Any) -> NewSchedule:  # noqa: ANN401 - click's options
    recurrence = {name: asked.pop(name) for name in _OF_RECURRENCE}
    return NewSchedule(notification=RecurringNotification(**_content(**asked)), **recurrence)


def _content(
    *,
    channel: str,
    variables: tuple[str, ...],
    priority: str,
    also: tuple[str, ...],
    **rest: Any,  # noqa: ANN401 - members that are options as they are, and the terms of a fallback
) -> dict[str, Any]:
    # Imported when it runs, so that --help does not wait for it.
    from tidings.cli.sending import parse_variables  # noqa: PLC0415 - the line above

    fallback = _fallback(*(rest.pop(name) for name in ("fallback", "fallback_after", "fallback_unless")))
    return {
        "channel": Channel(channel),
        "variables": parse_variables(variables),
        "priority": Priority(priority),
        "also": [Channel(one) for one in also] or None,
        "fallback": fallback,
        **rest,
    }


def _fallback(channel: str | None, after: int | None, unless: str | None) -> Fallback | None:
    terms: dict[str, Any] = {"after_seconds": after, "unless": unless and Reached(unless)}
    given = {name: term for name, term in terms.items() if term is not None}
    if channel is not None:
        return Fallback(channel=Channel(channel), **given)
    if given:
        words = "--fallback-after and --fallback-unless say when a --fallback is used. Give its channel too."
        raise click.UsageError(words)
    return None


def _moment(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    moment = _time(text, MOMENT)
    if moment is not None and moment.tzinfo is None:
        raise click.BadParameter(f"{text!r} has no UTC offset. Write it as {MOMENT}.")
    return moment


def _wall(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    wall = _time(text, WALL)
    if wall is not None and wall.tzinfo is not None:
        words = f"{text!r} has a UTC offset. Write it as {WALL}, or take --send-at."
        raise click.BadParameter(words)
    return wall


def _start(_context: click.Context, _option: click.Parameter, text: str) -> datetime | None:
    start = _time(text, WALL)
    if start is not None and start.tzinfo is not None:
        raise click.BadParameter(f"{text!r} has a UTC offset. Write it as {WALL}, and give its --time-zone.")
    return start


def _time(text: str | None, form: str) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no date and time. Write it as {form}.") from None


_CONTENT = [
    click.option("--channel", type=_CHANNELS, required=True, help="The way to the person."),
    click.option("--user", "user_id", required=True, metavar="ID", help="The person."),
    click.option("--template", "template_id", required=True, metavar="ID", help="What to say."),
    click.option(
        "--var", "variables", multiple=True, metavar="KEY=VALUE", help="A template's value; repeatable."
    ),
    click.option("--locale", metavar="TAG", help="BCP 47, like pt-BR. [default: the person's]"),
    click.option(
        "--priority",
        type=click.Choice([one.value for one in Priority]),
        default=Priority.NORMAL.value,
        show_default=True,
        help="Which traffic it need not wait for.",
    ),
    click.option("--also", multiple=True, type=_CHANNELS, help="Another channel, at the same time."),
    click.option("--fallback", type=_CHANNELS, help="Another channel, if the first does not get far enough."),
    click.option(
        "--fallback-after",
        type=click.IntRange(10, 7 * 86_400),
        metavar="SECONDS",
        help="How long the first has for that. [default: 600]",
    ),
    click.option(
        "--fallback-unless",
        type=click.Choice([one.value for one in Reached]),
        help="How far is far enough. [default: displayed]",
    ),
]
_OF_CONTENT = (
    *("channel", "user_id", "template_id", "variables", "locale", "priority", "also"),
    *("fallback", "fallback_after", "fallback_unless"),
)
_ONCE = [
    click.option("--send-at", metavar="MOMENT", callback=_moment, help=f"When: {MOMENT}. [default: at once]"),
    click.option("--send-at-local", metavar="TIME", callback=_wall, help=f"By the person's clock: {WALL}."),
    click.option("--expires-at", metavar="MOMENT", callback=_moment, help="Not to be sent after that."),
    click.option("--request-id", metavar="ID", help="Makes the request safe to repeat."),
    click.option(
        "--dedupe-key", metavar="KEY", help="Only the first with this key is sent, like order-17-shipped."
    ),
    click.option(
        "--dedupe-seconds",
        type=click.IntRange(1, 30 * 86_400),
        metavar="SECONDS",
        help="For how long the key holds. [default: 3600]",
    ),
]
_OF_ONCE = ("send_at", "send_at_local", "expires_at", "request_id", "dedupe_key", "dedupe_seconds")
_RECURRENCE = [
    click.option(
        "--rule",
        "rrule",
        required=True,
        metavar="RRULE",
        help="When, like FREQ=WEEKLY;BYDAY=MO,TH (RFC 5545).",
    ),
    click.option(
        "--start",
        "start_at_local",
        required=True,
        metavar="TIME",
        callback=_start,
        help=f"The earliest time of the first, without an offset: {WALL}.",
    ),
    click.option(
        "--time-zone", metavar="ZONE", help="Whose clock that is, like Europe/Lisbon. [default: the person's]"
    ),
    click.option("--name", metavar="TEXT", help="For people."),
]
_OF_RECURRENCE = ("rrule", "start_at_local", "time_zone", "name")
