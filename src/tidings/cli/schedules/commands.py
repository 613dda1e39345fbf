"""`tidings schedules …`: the commands and their options."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

import click

from tidings.cli.notification_options import schedule_options
from tidings.cli.options import target_options

if TYPE_CHECKING:
    from tidings.cli.target import Target
    from tidings.contracts.schedules import NewSchedule

# What a command needs is imported when it runs, so that --help does not wait for it.
# ruff: noqa: PLC0415

Command = Callable[..., None]

json_option = click.option("--json", "as_json", is_flag=True, help="As JSON, in the words of the API.")
schedule_argument = click.argument("schedule_id", metavar="ID", type=click.UUID)


@click.group()
def schedules() -> None:
    """Add notifications that recur; look through them, pause, resume and end them."""


@schedules.command()
@schedule_options
@json_option
@target_options
def add(*, wanted: "NewSchedule", as_json: bool, target: "Target") -> None:
    """Notify a person again and again, and show the next moments."""
    from tidings.cli.schedules import working

    asyncio.run(working.add(target, wanted, as_json=as_json))


@schedules.command("list")
@click.option("--status", type=click.Choice(["active", "paused", "ended"]), help="Only these.")
@json_option
@target_options
def list_(*, status: str | None, as_json: bool, target: "Target") -> None:
    """List the API key's own, newest first; with the scope `*` everyone's."""
    from tidings.cli.schedules import working
    from tidings.contracts.schedules import ScheduleStatus

    asyncio.run(working.list_all(target, ScheduleStatus(status) if status else None, as_json=as_json))


@schedules.command()
@schedule_argument
@json_option
@target_options
def show(*, schedule_id: UUID, as_json: bool, target: "Target") -> None:
    """Show one with what it sends, its next moments, and what it made."""
    from tidings.cli.schedules import working

    asyncio.run(working.show(target, schedule_id, as_json=as_json))


@schedules.command()
@schedule_argument
@target_options
def pause(*, schedule_id: UUID, target: "Target") -> None:
    """Send nothing until it is resumed."""
    from tidings.cli.schedules import working

    asyncio.run(working.pause(target, schedule_id))


@schedules.command()
@schedule_argument
@target_options
def resume(*, schedule_id: UUID, target: "Target") -> None:
    """Go on with the next occurrence. What fell into the pause is not made up for."""
    from tidings.cli.schedules import working

    asyncio.run(working.resume(target, schedule_id))


@schedules.command()
@schedule_argument
@target_options
def end(*, schedule_id: UUID, target: "Target") -> None:
    """Send nothing more, for ever. The notifications that it made stay."""
    from tidings.cli.schedules import working

    asyncio.run(working.end(target, schedule_id))
