"""The documents as documents: links that lead somewhere, diagrams that can be drawn."""

import re
from pathlib import Path

import pytest

from docs.markdown import ROOT, anchors, blocks, links, pages

PAGES = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages()]
BRACKETS = {"(": ")", "[": "]", "{": "}"}


@pytest.mark.parametrize("page", PAGES)
def test_links(page: Path) -> None:
    """Every link to a file or heading of the repository leads to one."""
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES)
def test_diagrams(page: Path) -> None:
    """Every Mermaid block names its kind, and closes the brackets, quotes and blocks that it opens."""
    for block in blocks(page):
        if block.info == "mermaid":
            kind = block.text.split()[0]
            assert kind in {"flowchart", "sequenceDiagram", "stateDiagram-v2"}, f"line {block.line}: {kind}"
            assert _unbalanced(block.text) == "", f"the diagram at line {block.line}"


@pytest.mark.parametrize("page", PAGES)
def test_paths(page: Path) -> None:
    """Every path of the source tree that a page names in full exists."""
    named = re.findall(r"`((?:src/tidings|tests|docs|\.ci)/[\w./-]+)`", page.read_text("utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_decisions_are_listed() -> None:
    """The list of decisions has each of them."""
    folder = ROOT / "docs" / "decisions"
    records = {page.name for page in folder.glob("[0-9]*.md")}
    assert records == set(links(folder / "README.md"))


def _unbalanced(text: str) -> str:
    """The brackets left open or closed too often, outside of quoted labels."""
    text = re.sub(r'"[^"\n]*"', "", text)
    opened: list[str] = []
    for character in text:
        if character in BRACKETS:
            opened.append(BRACKETS[character])
        elif character in BRACKETS.values() and (not opened or opened.pop() != character):
            return character
    return "".join(opened) + ('"' if '"' in text else "")
