"""Options that several commands share."""

import functools
from collections.abc import Callable
from pathlib import Path

import click

from tidings.cli.home import DEFAULT_HOME, Home

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="TIDINGS_HOME",
    default=DEFAULT_HOME,
    show_default=True,
    help="Folder with the data, secrets and logs of `tidings up`.",
)


def gateway_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command have `home`, `url` and `api_key`: what `find_target` takes."""
    key = click.option(
        "--api-key",
        envvar="TIDINGS_API_KEY",
        help="Better given as TIDINGS_API_KEY. [default: that of `tidings up`]",
    )
    url = click.option("--url", envvar="TIDINGS_URL", help="The gateway. [default: that of `tidings up`]")
    return home_option(url(key(command)))


def target_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command have a `target`: the gateway named by options, or the one of a running `tidings up`."""

    @gateway_options
    @functools.wraps(command)
    def with_target(*, home: Path, url: str | None, api_key: str | None, **options: object) -> None:
        # Imported when it runs, so that other commands, and --help, do not wait for it.
        from tidings.cli.target import find_target  # noqa: PLC0415 - the line above

        command(target=find_target(Home(home), url, api_key), **options)

    return with_target
