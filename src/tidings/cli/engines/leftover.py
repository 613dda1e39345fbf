"""What a killed `tidings up` may have left running."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil

from tidings.cli.errors import CannotContinue


async def stop_leftover(pid_file: Path, data: Path, signals: Sequence[tuple[signal.Signals, float]]) -> None:
    """End the server that still works on `data`, if there is one.

    The pid file names it; because pids are reused, only a process that has `data` as its working
    directory (both engines go there) is touched. `signals` are tried in turn, each with the
    seconds it is given.

    Raises:
        CannotContinue: it does not end.
    """
    process = _server(pid_file, data)
    if process is None:
        return
    for number, seconds in signals:
        if await asyncio.to_thread(_end, process, number, seconds):
            return
    raise CannotContinue(f"A server (pid {process.pid}) still works on {data}, and does not stop; end it.")


def _server(pid_file: Path, data: Path) -> psutil.Process | None:
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        return process if Path(process.cwd()) == data else None
    except (psutil.Error, OSError, ValueError, IndexError):
        return None


def _end(process: psutil.Process, number: signal.Signals, seconds: float) -> bool:
    try:
        process.send_signal(number)
        process.wait(seconds)
    except psutil.TimeoutExpired:
        return False
    except psutil.NoSuchProcess:
        return True
    return True
