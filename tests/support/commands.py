"""`tidings …` as a person types it, with what it shows."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

COMMAND_SECONDS = 60.0


@contextmanager
def folder_for_homes() -> Iterator[Path]:
    """A folder that goes away with the block.

    It is none of pytest's, because each pytest that starts closes the root of those to other
    users, and PostgreSQL runs as another user when the tests run as root.
    """
    with tempfile.TemporaryDirectory(prefix="tidings-homes-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def up_arguments(home: Path, port_base: int, **options: str) -> list[str]:
    """The words after `tidings` that start a stack."""
    words = ["up", "--home", str(home), "--port-base", str(port_base)]
    words += ["--ready-file", str(home / "for-scripts.json")]
    return words + [word for name, value in options.items() for word in (f"--{name}", value)]


async def start_command(
    home: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    """Start `tidings …` with what it shows kept for `output_of(home)`; TIDINGS_ variables only from `env`."""
    home.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a moment
    clean = {key: value for key, value in os.environ.items() if not key.startswith("TIDINGS_")}
    with (home / "shown.txt").open("wb") as shown:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tidings.cli",
            *arguments,
            env={**clean, **(env or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=shown,
            stderr=shown,
        )


async def run_command(home: Path, *arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run `tidings …` to its end; returns the exit code and what it showed."""
    process = await start_command(home, *arguments, env=env)
    async with asyncio.timeout(COMMAND_SECONDS):
        code = await process.wait()
    return code, output_of(home)


def output_of(home: Path) -> str:
    """What the last command started with this folder has shown."""
    return (home / "shown.txt").read_text()
