"""What the commands print: differences in colour, faults by file and line, how far they are."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from tidings.cli.templates.comparing import Change, FileChange, Kind
from tidings.cli.templates.faults import FileFault

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_KINDS = {
    Kind.NEW: "is new",
    Kind.CHANGED: "differs",
    Kind.OUTDATED: "is the same, but was published with other partials",
}


class Printer:
    """Results on stdout, faults and progress on stderr. Colours only on a terminal."""

    def __init__(self) -> None:
        self._out = Console(highlight=False, soft_wrap=True)
        self._err = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, words: str, style: str = "") -> None:
        """One line."""
        self._out.print(Text(_CONTROLS.sub("\ufffd", words), style))

    def change(self, change: Change) -> None:
        """A change with its unified diffs."""
        self.say(f"{change.path} {_KINDS[change.kind]}", "bold")
        for file in change.files:
            for line in _unified(file):
                self.say(line, "bold" if line.startswith(("--- ", "+++ ")) else _STYLES.get(line[:1], ""))

    def faults(self, faults: Iterable[FileFault]) -> None:
        """Each fault on a line that editors can jump to."""
        for fault in faults:
            self._err.print(Text(_CONTROLS.sub("\ufffd", str(fault)), "red"))

    def remark(self, words: str) -> None:
        """A line beside the results."""
        self._err.print(Text(_CONTROLS.sub("\ufffd", words), "yellow"))

    @contextmanager
    def progress(self, words: str, total: int | None) -> Iterator[Callable[[], None]]:
        """A bar, on a terminal; call what is yielded after each step."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        hidden = not self._err.is_terminal
        with Progress(*columns, console=self._err, transient=True, disable=hidden) as bar:
            task = bar.add_task(words, total=total)
            yield lambda: bar.advance(task)


def _unified(file: FileChange) -> Iterator[str]:
    before, after = (_lines(text) for text in (file.before, file.after))
    names = (f"{file.path} (server)", f"{file.path} (folder)")
    return difflib.unified_diff(before, after, *names, lineterm="")


def _lines(text: str | None) -> list[str]:
    if not text:
        return []
    *lines, last = text.split("\n")
    return [*lines, f"{last} (no line end)"] if last else lines
