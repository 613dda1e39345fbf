"""The options that say which dead letters are meant."""

import functools
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import click
import msgspec

from tidings.cli.errors import CannotContinue
from tidings.contracts.codes import Channel, Reason
from tidings.contracts.dead_letters import DeadLetterFilter
from tidings.kit.ids import now

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGO = re.compile(r"(\d{1,6})([smhd])")
_MOMENT = "2026-01-31T12:00:00Z, or 30m, 2h, 7d ago."


def parse_moment(text: str) -> datetime:
    """A moment from RFC 3339, or from how long ago it was.

    Raises:
        CannotContinue: it is neither.
    """
    ago = _AGO.fullmatch(text)
    if ago:
        return now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        return msgspec.convert(text, datetime, strict=False)
    except msgspec.ValidationError:
        raise CannotContinue(f"{text!r} is no moment. Write it as {_MOMENT}") from None


def filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command have `wanted`, a `DeadLetterFilter` that its options make."""
    options = [
        click.option("--group", metavar="GROUP", help="One group of `dead-letters groups`."),
        click.option(
            "--reason",
            type=click.Choice([one.value for one in Reason]),
            metavar="REASON",
            help="Like render_failed.",
        ),
        click.option(
            "--channel", type=click.Choice([one.value for one in Channel]), help="The way to the person."
        ),
        click.option("--template", "template_id", metavar="ID", help="What was to be said."),
        click.option("--provider", metavar="NAME", help="Who tried it last."),
        click.option("--user", "user_id", metavar="ID", help="To whom."),
        click.option("--since", metavar="MOMENT", help=f"From then on: {_MOMENT}"),
        click.option("--until", metavar="MOMENT", help="Before then."),
        click.option(
            "--replayed/--not-replayed", default=None, help="Only those replayed already, or those not."
        ),
    ]

    @functools.wraps(command)
    def with_filter(**given: Any) -> None:  # noqa: ANN401 - click's options
        names = [name for name in DeadLetterFilter.__struct_fields__ if name != "ids"]
        asked = {name: given.pop(name) for name in names}
        for name in ("since", "until"):
            asked[name] = asked[name] and parse_moment(asked[name])
        try:
            wanted = msgspec.convert(asked, DeadLetterFilter)
        except msgspec.ValidationError as error:
            raise CannotContinue(f"There can be no such dead letter: {error}.") from None
        command(wanted=wanted, **given)

    for option in reversed(options):
        with_filter = option(with_filter)
    return with_filter
