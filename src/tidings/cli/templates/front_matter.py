"""The front matter of an email's file: `subject` and `preheader` between two lines `---`."""

import re
from typing import Any

from tidings.cli.templates.faults import Faulty, FileFault
from tidings.cli.templates.reading import parse
from tidings.cli.templates.yaml_text import dump, line_of

_BLOCK = re.compile(r"---\n(?P<yaml>(?:.*\n)*?)---(?:\n|\Z)")


def join(head: dict[str, str], source: str) -> str:
    """A file's text: front matter, then the source as it is."""
    return f"---\n{dump(head)}---\n{source}"


def split(name: str, text: str) -> tuple[dict[str, Any], str]:
    """The front matter and the source.

    Raises:
        Faulty: there is no front matter, or more in it than `subject` and `preheader`.
    """
    match = _BLOCK.match(text)
    if match is None:
        words = "has to begin with front matter: a line ---, then `subject: …`, then a line ---"
        raise Faulty(FileFault(name, words, 1))
    head = parse(name, match["yaml"], first_line=2) or {}
    if not isinstance(head, dict) or not head.keys() <= {"subject", "preheader"}:
        raise Faulty(FileFault(name, "the front matter has `subject` and `preheader`, nothing else", 1))
    return head, text[match.end() :]


def lines_before(text: str) -> int:
    """How many lines the front matter takes, its fences included."""
    match = _BLOCK.match(text)
    return match[0].count("\n") if match else 0


def line_in(text: str, field: str) -> int:
    """The line of a field of the front matter; 1 where it is missing."""
    match = _BLOCK.match(text)
    line = line_of(match["yaml"], (field,)) if match else None
    return line + 1 if line else 1
