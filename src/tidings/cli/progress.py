"""What `tidings up` shows while it starts, and the page it ends with."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console

from tidings.cli.home import Home
from tidings.cli.ready import Ready, first_request


class Progress:
    """One line per step: with a spinner on a terminal, plain when it is done elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("") if console.is_terminal else None
        self._open: list[str] = []
        self.started = monotonic()

    def __enter__(self) -> Self:
        """Begin to show what is under way."""
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show nothing more."""
        if self._status:
            self._status.stop()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step is under way; it is done when the context is left without an error."""
        started = monotonic()
        self._open.append(name)
        self._show()
        try:
            yield
            self._console.print(
                f"  [green]ready[/]  {name}  [dim]{monotonic() - started:.1f} s[/]", highlight=False
            )
        finally:
            self._open.remove(name)
            self._show()

    def _show(self) -> None:
        if self._status:
            self._status.update(", ".join(self._open))


def show_ready(console: Console, home: Home, ready: Ready, seconds: float) -> None:
    """The closing page: where everything is, the key, and a first request to paste."""
    console.print(f"\n[bold]Tidings is ready[/] [dim]after {seconds:.1f} s[/]\n", highlight=False)
    rows = [(name, entry.url) for name, entry in ready.services.items()]
    rows += [
        ("inbox", f"{ready.simulator.url}   (SMTP {ready.simulator.smtp})"),
        ("API key", ready.api_key),
        ("test key", f"{ready.test_api_key}   (reaches no real provider)"),
        ("data, logs", str(home.root)),
    ]
    # Plain and unwrapped, whatever the terminal's width, so that all of it can be copied.
    for name, value in rows:
        console.out(f"  {name:<12}{value}", highlight=False)
    console.out("\nSend an email to the demonstration user:\n", highlight=False)
    console.out(first_request(ready, "email"), highlight=False)
    console.out(f"\nand read it at {ready.simulator.url} - Ctrl-C here stops everything.\n", highlight=False)
