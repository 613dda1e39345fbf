"""A private RabbitMQ node on free ports, from Debian's package, that leaves nothing behind."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from support.ports import free_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the wrapper in /usr/sbin wants the service's user

_START_LIMIT = 60.0
_STOP_LIMIT = 30.0
_CONFIG = """
log.console = false
raft.wal_max_size_bytes = 33554432
"""


def rabbitmq_is_installed() -> bool:
    """Whether a node can be started here."""
    return SERVER.exists() and shutil.which("epmd") is not None


class RabbitNode:
    """One node with its data in a folder of its own, kept until `remove`."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tidings-rabbit-"))
        self._name = f"tidings-{secrets.token_hex(4)}@localhost"
        self._port, self._dist_port, self._epmd_port = (free_port() for _ in range(3))
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        (self._folder / "rabbitmq.conf").write_text(_CONFIG)
        (self._folder / "plugins").write_text("[].")

    @property
    def url(self) -> str:
        """Where clients connect; the same after every start."""
        return f"amqp://guest:guest@127.0.0.1:{self._port}/"

    def start(self) -> None:
        """Start the node and wait until it takes connections."""
        self._start_epmd()
        # This variable makes the script become the Erlang process, so that the pid we have is the node's.
        self._server = self._spawn(str(SERVER), RUNNING_UNDER_SYSTEMD="1")
        deadline = time.monotonic() + _START_LIMIT
        while not _speaks_amqp(self._port):
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"RabbitMQ did not start:\n{(self._folder / 'output').read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the node in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the node as a power cut would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let the node hang, with its connections open, until `resume`; now it does nothing more."""
        self._signal(signal.SIGSTOP)
        if self._server is not None:
            # Its threads may run on for a moment, and confirm a message.
            os.waitid(os.P_PID, self._server.pid, os.WSTOPPED)

    def resume(self) -> None:
        """Let a paused node go on."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """End everything and delete the data."""
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start_epmd(self) -> None:
        # Erlang would start one that outlives the node, with a pid that we would have to guess.
        if self._epmd is None:
            self._epmd = self._spawn("epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1")

    def _end(self, number: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(number)
            self._server.wait(_STOP_LIMIT)
            self._server = None

    def _signal(self, number: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(number)

    def _spawn(self, *command: str, **extra: str) -> subprocess.Popen[bytes]:
        with (self._folder / "output").open("ab") as output:
            return subprocess.Popen(
                command,
                env=self._environment() | extra,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            # Erlang's schedulers spin while they wait for work, which tests on two cores would pay for.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }


def _speaks_amqp(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(connection.recv(1))
    except OSError:
        return False
