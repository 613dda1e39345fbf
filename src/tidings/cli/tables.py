"""What commands print for a person to read: lines, aligned columns, moments."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click
import msgspec

Style = str | None


def out(text: str, *, style: Style = None) -> None:
    """One line, in a colour where the terminal has them."""
    click.secho(text, fg=style)


def table(rows: Sequence[Sequence[str]], *, styles: Sequence[Style] | None = None) -> None:
    """Rows with aligned columns, each in its colour.

    Unwrapped whatever the terminal's width, so that ids can be copied and lines be searched.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, style in zip(rows, styles or [None] * len(rows), strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        out("  ".join(cells).rstrip(), style=style)


def moment(at: datetime, *, exact: bool = False) -> str:
    """A time as the API takes and gives it, in UTC; to the second, or `exact` to the millisecond."""
    written = at.astimezone(UTC).isoformat(timespec="milliseconds" if exact else "seconds")
    return written.replace("+00:00", "Z")


def show_json(value: object) -> None:
    """As the API answers."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)))
