"""Running the shell blocks of a page one after the other, in one shell, and what each printed."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from docs.markdown import Block, blocks

SECONDS = 120
"""How long all blocks of a page may take together."""

SHOWS_OUTPUT = {"http", "json", "text"}


def examples(page: Path) -> Iterator[tuple[Block, Block | None]]:
    """The blocks to run, each with the block of output that follows it, if one does."""
    listed = blocks(page)
    for block, after in zip(listed, [*listed[1:], None], strict=True):
        if block.info == "sh":
            yield block, after if after and after.info in SHOWS_OUTPUT else None


def run(page: Path, folder: Path, *, before: str = "", known: Mapping[str, str] | None = None) -> list[str]:
    """Run the page's shell blocks in `folder`, after the script `before`; returns what each wrote to stdout.

    What the page writes for what a reader has is `known`, with what it is here.

    Raises:
        AssertionError: a command failed; the text has what stood on stderr.
    """
    outputs = [folder / f"output-{index}" for index, _ in enumerate(examples(page))]
    steps = [
        # A group and not a subshell, so that the next block has this one's variables and functions.
        f"echo 'the block at line {block.line}' >&2\n{{\n{_read(block.text, known or {})}}} > '{output}'\n"
        for (block, _), output in zip(examples(page), outputs, strict=True)
    ]
    script = folder / "script.sh"
    script.write_text("set -euo pipefail\n" + before + "".join(steps))
    done = subprocess.run(
        ["bash", str(script)], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{page.name}: exit code {done.returncode} in the last of\n{done.stderr}"
    return [output.read_text("utf-8") for output in outputs]


def _read(text: str, known: Mapping[str, str]) -> str:
    for written, here in known.items():
        text = text.replace(written, here)
    return text


def shows(expected: str, output: str) -> bool:
    """Whether `output` has in it what a page shows, where `…` stands for anything and spaces do not count."""
    parts = (re.escape("".join(part.split())) for part in expected.split("…"))
    return re.search(".*?".join(parts), "".join(output.split()), re.DOTALL) is not None
