"""The programs of docs/python.md run, and print what the page shows."""

import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from docs.markdown import ROOT, Block, blocks
from docs.shell import shows
from support.commands import folder_for_homes
from support.servers import ValkeyNode
from support.stack import Stack
from tidings.client.sdk import Tidings

PAGE = ROOT / "docs" / "python.md"
SECONDS = 60

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
async def folder() -> AsyncIterator[Path]:
    """A folder in which `make up` might have been typed."""
    valkey = ValkeyNode()  # of the embedded one services wait for a moment only
    with folder_for_homes() as folder:
        stack = await Stack.start(folder / ".tidings", options={"cache": valkey.url})
        try:
            yield folder
        finally:
            await stack.stop()
            valkey.stop()


def run(program: str, folder: Path) -> str:
    """What a program prints."""
    script = folder / "program.py"
    script.write_text(program, "utf-8")
    done = subprocess.run(
        [sys.executable, script], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def listed(info: str) -> list[Block]:
    return [block for block in blocks(PAGE) if block.info == info]


def test_programs(folder: Path) -> None:
    """The first block is a program; the others, put inside of its `async with`, are one too."""
    first, *others = (block.text for block in listed("python"))
    shown = [block.text for block in listed("text")]
    assert shows(shown[0], run(first, folder))

    opening, _, rest = first.partition(" as tidings:\n")
    inside = textwrap.indent("\n".join(others), " " * 8)
    closing = rest[rest.index("\n\n\n") :]
    printed = run(f"{opening} as tidings:\n{inside}{closing}", folder)
    assert [text for text in shown[1:] if not shows(text, printed)] == [], printed


def test_the_table_of_parts_is_whole() -> None:
    """The page names each part of the client with its public methods, and no others."""
    rows = [line.split("`")[1::2] for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    documented = {part.removeprefix("tidings."): set(methods) for part, *methods in rows}
    assert documented == {
        name: {method for method in vars(kind) if not method.startswith("_")} - {"open"}
        for name, kind in Tidings.__annotations__.items()
    }
