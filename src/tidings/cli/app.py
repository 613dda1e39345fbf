"""The commands and their options."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from tidings import __version__
from tidings.cli.dead_letters.commands import dead_letters
from tidings.cli.errors import CannotContinue
from tidings.cli.options import home_option, target_options
from tidings.cli.ports import SERVICES
from tidings.cli.push import push
from tidings.cli.schedules.commands import schedules
from tidings.cli.send import send
from tidings.cli.templates.commands import templates

if TYPE_CHECKING:
    from tidings.cli.target import Target

# What a command needs is imported when it runs, so that the others, and --help, do not wait for it.
# ruff: noqa: PLC0415


class _Commands(click.Group):
    """Shows what a command could not go on with, and ends with exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        try:
            return super().invoke(ctx)
        except CannotContinue as error:
            raise click.ClickException(str(error)) from error


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, message="tidings %(version)s")
def app() -> None:
    """Send notifications by email and push, and prove that none was lost."""


@app.command()
@home_option
@click.option(
    "--port-base",
    type=click.IntRange(1, 65_000),
    metavar="N",
    help="Gateway on N, users N+1, templates N+2, email N+3, push N+4, simulator N+25, SMTP N+26. "
    "[default: 8000, and SMTP on 1025]",
)
@click.option(
    "--broker",
    envvar="TIDINGS_BROKER_URL",
    metavar="URL",
    help="amqp://… for RabbitMQ. [default: the database is the broker]",
)
@click.option(
    "--database",
    envvar="TIDINGS_DATABASE_URL",
    metavar="URL",
    help="postgresql://… of a user who may create roles. [default: embedded PostgreSQL]",
)
@click.option(
    "--cache", envvar="TIDINGS_CACHE_URL", metavar="URL", help="redis://… [default: embedded Valkey]"
)
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON file for scripts, there as long as everything is ready.",
)
def up(
    *,
    home: Path,
    port_base: int | None,
    broker: str | None,
    database: str | None,
    cache: str | None,
    ready_file: Path | None,
) -> None:
    """Run everything on this machine until Ctrl-C.

    Five services, the engines that are not named by an option, and a simulated outside world with
    an inbox. A process that ends is started again.
    """
    from tidings.cli.up import UpOptions
    from tidings.cli.up import up as run_all

    run_all(
        UpOptions(
            home=home,
            port_base=port_base,
            broker=broker,
            database=database,
            cache=cache,
            ready_file=ready_file,
        )
    )


@app.command()
@click.argument("service", type=click.Choice(SERVICES))
def run(service: str) -> None:
    """Run one service, configured by TIDINGS_… variables, until SIGTERM.

    This is the way for production: start as many of each as you need.
    """
    from tidings.cli.running import run_service

    run_service(service)


@app.command()
@click.argument("notification_id", metavar="ID", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="As the API answers.")
@target_options
def status(*, notification_id: UUID, as_json: bool, target: "Target") -> None:
    """Show a notification's state and how it got there."""
    from tidings.cli.sending import fetch, show
    from tidings.cli.tables import show_json

    notification = asyncio.run(fetch(target, notification_id))
    if as_json:
        show_json(notification)
    else:
        show(notification)


@app.command()
@click.argument("notification_id", metavar="ID", type=click.UUID)
@click.option("--reason", metavar="TEXT", help="Kept in its timeline; at most 200 characters.")
@target_options
def cancel(*, notification_id: UUID, reason: str | None, target: "Target") -> None:
    """Cancel a notification that nobody has begun to send; exit code 1 when it is too late."""
    from tidings.cli.sending import cancel as cancel_one
    from tidings.cli.sending import show

    show(asyncio.run(cancel_one(target, notification_id, reason)))


@app.command()
@click.argument("notification_id", metavar="ID", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="As the API answers.")
@target_options
def explain(*, notification_id: UUID, as_json: bool, target: "Target") -> None:
    """Show why a notification is where it is: every decision about it, in order."""
    from tidings.cli.explaining import fetch, show
    from tidings.cli.tables import show_json

    explanation = asyncio.run(fetch(target, notification_id))
    if as_json:
        show_json(explanation)
    else:
        show(explanation)


app.add_command(send)
app.add_command(templates)
app.add_command(dead_letters)
app.add_command(schedules)
app.add_command(push)
