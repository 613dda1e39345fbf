"""The parts of our Markdown files that tests look at."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")
_ROW = re.compile(r"^\|(?P<cells>.+)\|$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block. `info` is what stands behind the fence, such as `sh` or `json`."""

    info: str
    text: str
    line: int


def pages() -> list[Path]:
    """Every Markdown file of ours."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks in order."""
    text = page.read_text("utf-8")
    return [
        Block(match["info"].strip(), match["text"], text.count("\n", 0, match.start()) + 1)
        for match in _FENCE.finditer(text)
    ]


def links(page: Path) -> Iterator[str]:
    """Where the page's links lead, those to other sites left out."""
    for match in _LINK.finditer(_FENCE.sub("", page.read_text("utf-8"))):
        if "://" not in match["target"]:
            yield match["target"]


def anchors(page: Path) -> set[str]:
    """What a link may name behind `#`."""
    titles = (match["title"] for match in _HEADING.finditer(_FENCE.sub("", page.read_text("utf-8"))))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def table_rows(page: Path) -> dict[tuple[str, ...], list[str]]:
    """Table rows by the names, `` `like this` ``, in their first cell; rows without one are left out."""
    rows = (match["cells"].split(" | ") for match in _ROW.finditer(page.read_text("utf-8")))
    named = ((tuple(_CODE.findall(first)), rest) for first, *rest in rows)
    return {names: rest for names, rest in named if names}
