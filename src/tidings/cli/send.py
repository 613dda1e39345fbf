"""`tidings send`: the command and its options."""

import asyncio
from typing import TYPE_CHECKING

import click

from tidings.cli.notification_options import notification_options
from tidings.cli.options import target_options

if TYPE_CHECKING:
    from tidings.cli.target import Target
    from tidings.contracts.notifications import NewNotification

# What a command needs is imported when it runs, so that --help does not wait for it.
# ruff: noqa: PLC0415


@click.command()
@notification_options
@click.option(
    "--dry-run", is_flag=True, help="Send nothing; show every decision. Exit code 1 unless it would be sent."
)
@click.option(
    "--wait",
    is_flag=True,
    help="Show its state until it settles; exit code 1 unless it was sent. Of several, the first's.",
)
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to --wait."
)
@click.option("--json", "as_json", is_flag=True, help="As the API answers.")
@target_options
def send(
    *,
    wanted: "NewNotification",
    dry_run: bool,
    wait: bool,
    timeout: float,
    as_json: bool,
    target: "Target",
) -> None:
    """Send one notification, and print its id.

    Those on other channels are told of on standard error.
    """
    from tidings.cli import dry_running, sending

    if dry_run and wait:
        raise click.UsageError("A --dry-run sends nothing, so there is nothing to --wait for.")
    if dry_run:
        went_well = asyncio.run(dry_running.dry_run(target, wanted, as_json=as_json))
    else:
        seconds = timeout if wait else None
        went_well = asyncio.run(sending.send(target, wanted, wait=seconds, as_json=as_json))
    if not went_well:
        raise click.exceptions.Exit(1)
