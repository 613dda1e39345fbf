"""The options that say what is to be sent, to whom, how and when."""

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from tidings.contracts.codes import Channel, Priority, Reached
from tidings.contracts.notifications import Fallback, NewNotification

MOMENT = "2027-01-31T09:00:00Z or 2027-01-31T09:00:00+01:00"
WALL = "2027-01-31T09:00:00"

_CHANNELS = click.Choice([one.value for one in Channel])


def notification_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command have `wanted`, a `NewNotification` that its options make."""

    @functools.wraps(command)
    def with_notification(**given: Any) -> None:  # noqa: ANN401 - click's options
        asked = {name: given.pop(name) for name in _ASKED}
        command(wanted=_notification(**asked), **given)

    for option in reversed(_OPTIONS):
        with_notification = option(with_notification)
    return with_notification


def _notification(
    *,
    channel: str,
    variables: tuple[str, ...],
    priority: str,
    also: tuple[str, ...],
    **rest: Any,  # noqa: ANN401 - members that are options as they are, and the terms of a fallback
) -> NewNotification:
    # Imported when it runs, so that --help does not wait for it.
    from tidings.cli.sending import parse_variables  # noqa: PLC0415 - the line above

    fallback = _fallback(*(rest.pop(name) for name in ("fallback", "fallback_after", "fallback_unless")))
    if rest["send_at"] is not None and rest["send_at_local"] is not None:
        raise click.UsageError("Give --send-at or --send-at-local, one of the two.")
    if rest["dedupe_seconds"] is not None and rest["dedupe_key"] is None:
        raise click.UsageError("--dedupe-seconds says how long a --dedupe-key holds. Give that too.")
    return NewNotification(
        channel=Channel(channel),
        variables=parse_variables(variables),
        priority=Priority(priority),
        also=[Channel(one) for one in also] or None,
        fallback=fallback,
        **rest,
    )


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


def _time(text: str | None, form: str) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no date and time. Write it as {form}.") from None


_OPTIONS = [
    click.option("--channel", type=_CHANNELS, required=True, help="The way to the person."),
    click.option("--user", "user_id", required=True, metavar="ID", help="The person."),
    click.option("--template", "template_id", required=True, metavar="ID", help="What to say."),
    click.option(
        "--var", "variables", multiple=True, metavar="KEY=VALUE", help="A template's value; repeatable."
    ),
    click.option("--request-id", metavar="ID", help="Makes the request safe to repeat."),
    click.option("--locale", metavar="TAG", help="BCP 47, like pt-BR. [default: the person's]"),
    click.option(
        "--priority",
        type=click.Choice([one.value for one in Priority]),
        default=Priority.NORMAL.value,
        show_default=True,
        help="Which traffic it need not wait for.",
    ),
    click.option("--send-at", metavar="MOMENT", callback=_moment, help=f"When: {MOMENT}. [default: at once]"),
    click.option("--send-at-local", metavar="TIME", callback=_wall, help=f"By the person's clock: {WALL}."),
    click.option("--expires-at", metavar="MOMENT", callback=_moment, help="Not to be sent after that."),
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
_ASKED = (
    *("channel", "user_id", "template_id", "variables", "request_id", "locale", "priority"),
    *("send_at", "send_at_local", "expires_at", "also", "fallback", "fallback_after", "fallback_unless"),
    *("dedupe_key", "dedupe_seconds"),
)
