"""`tidings templates …`: the commands and their options."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tidings.cli.options import gateway_options, target_options

if TYPE_CHECKING:
    from tidings.cli.target import Target

# What a command needs is imported when it runs, so that --help does not wait for it.
# ruff: noqa: PLC0415

folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default="./templates",
    show_default=True,
    help="Where the files are: one folder per template, and `partials`.",
)


def only_argument(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take the ids of the templates that it is about; none means all."""
    return click.argument("only", nargs=-1, metavar="[ID]...")(command)


@click.group()
def templates() -> None:
    """Keep templates as files, in git, and publish them from there."""


@templates.command()
@only_argument
@folder_option
@target_options
def pull(*, only: tuple[str, ...], folder: Path, target: "Target") -> None:
    """Write what the server has published into the folder.

    Files that say the same already stay as they are. Templates and partials that only the folder has
    are left alone.
    """
    from tidings.cli.templates.exchange import pull as pull_all

    _end(asyncio.run(pull_all(target, folder, only)))


@templates.command()
@only_argument
@folder_option
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option(
    "--force", is_flag=True, help="Overwrite what others changed on the server since your last pull."
)
@target_options
def push(*, only: tuple[str, ...], folder: Path, dry_run: bool, force: bool, target: "Target") -> None:
    """Publish what differs from the server.

    What is the same makes no new version. A faulty template does not stop the others; the exit code is
    then 1. Templates and partials that only the server has are left alone.
    """
    from tidings.cli.templates.exchange import push as push_all

    _end(asyncio.run(push_all(target, folder, only, dry_run=dry_run, force=force)))


@templates.command()
@only_argument
@folder_option
@target_options
def diff(*, only: tuple[str, ...], folder: Path, target: "Target") -> None:
    """Show what a push would change; exit code 1 if it would change something."""
    from tidings.cli.templates.exchange import diff as diff_all

    _end(asyncio.run(diff_all(target, folder, only)))


@templates.command()
@only_argument
@folder_option
def lint(*, only: tuple[str, ...], folder: Path) -> None:
    """Check the files without a server, each template with its sample; exit code 1 if one is faulty."""
    from tidings.cli.templates.linting import lint as lint_all

    _end(lint_all(folder, only))


@templates.command()
@click.argument("template_id", metavar="ID")
@click.option("--locale", metavar="TAG", help="BCP 47, like pt-BR. [default: the template's]")
@click.option(
    "--var", "variables", multiple=True, metavar="KEY=VALUE", help="Instead of the sample's; repeatable."
)
@click.option("--version", type=click.IntRange(min=1), help="[default: the newest]")
@click.option("--draft", is_flag=True, help="What is being worked on on the server.")
@click.option("--file", "from_files", is_flag=True, help="What the folder says, without a server.")
@click.option(
    "--show",
    type=click.Choice(["all", "subject", "text", "html", "push"]),
    default="all",
    show_default=True,
    help="`all` leaves out the html, which is for browsers.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write <id>.<locale>.html, .txt and .push.json into this folder instead.",
)
@folder_option
@gateway_options
def render(
    *,
    template_id: str,
    locale: str | None,
    variables: tuple[str, ...],
    version: int | None,
    draft: bool,
    from_files: bool,
    show: str,
    output: Path | None,
    folder: Path,
    home: Path,
    url: str | None,
    api_key: str | None,
) -> None:
    """Fill in a template and print what each channel would send. Warnings go to stderr."""
    from tidings.cli.home import Home
    from tidings.cli.sending import parse_variables
    from tidings.cli.target import find_target
    from tidings.cli.templates import rendering
    from tidings.contracts.templates import RenderRequest

    if sum((version is not None, draft, from_files)) > 1:
        raise click.UsageError("--version, --draft and --file exclude one another.")
    values = parse_variables(variables)
    if from_files:
        rendered = rendering.from_files(folder, template_id, locale, values)
    else:
        target = find_target(Home(home), url, api_key)
        request = RenderRequest(version=version, draft=draft, locale=locale)
        rendered = asyncio.run(rendering.from_server(target, template_id, request, values))
    rendering.deliver(rendered, show=show, output=output)


def _end(well: bool) -> None:  # noqa: FBT001 - what the command came to
    if not well:
        raise click.exceptions.Exit(1)
