"""What README.md tells people to type does what it says."""

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from docs.markdown import ROOT
from docs.shell import examples, run, shows
from support.commands import folder_for_homes
from support.stack import Stack

README = ROOT / "README.md"

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(shutil.which("curl") is None, reason="README.md uses curl, which is not installed"),
]


@pytest.fixture(scope="module")
async def folder() -> AsyncIterator[Path]:
    """A folder in which `make up` might have been typed; retries come soon."""
    with folder_for_homes() as folder:
        (folder / ".venv").symlink_to(Path(sys.prefix))
        stack = await Stack.start(folder / ".tidings")
        try:
            yield folder
        finally:
            await stack.stop()


def test_commands(folder: Path) -> None:
    """Every shell block of README.md succeeds, and prints what the block after it shows."""
    outputs = run(README, folder)
    for (block, expected), output in zip(examples(README), outputs, strict=True):
        assert expected is None or shows(expected.text, output), f"README.md, line {block.line}:\n{output}"
