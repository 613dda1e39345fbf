"""The command line. What it runs is imported when it runs, so that `tidings --help` answers at once."""


def main() -> None:
    """Entry point of the `tidings` command."""
    from tidings.cli.app import app  # noqa: PLC0415 - forked services import this module again, and need no more

    app(prog_name="tidings")
