"""The folder of one `tidings up`: data, logs, secrets, and the lock that says it is in use."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tidings.cli.errors import CannotContinue

DEFAULT_HOME = "./.tidings"
LOG_BYTES = 5 * 1024 * 1024


class State(msgspec.Struct, kw_only=True):
    """What has to stay the same from one start to the next. It holds secrets: the file has mode 0600."""

    api_key: str = msgspec.field(default_factory=lambda: f"tdg_live_{_secret(40)}")
    test_api_key: str = msgspec.field(default_factory=lambda: f"tdg_test_{_secret(40)}")
    service_secret: str = msgspec.field(default_factory=lambda: _secret(48))
    cache_password: str = msgspec.field(default_factory=lambda: _secret(32))
    admin_password: str = msgspec.field(default_factory=lambda: _secret(32))
    role_passwords: dict[str, str] = {}
    vapid_private_key: str | None = None
    user_id: str | None = None

    def role_password(self, schema: str) -> str:
        """The password of the database role that owns `schema`, made when first asked for."""
        return self.role_passwords.setdefault(schema, _secret(32))


class Home:
    """Paths below one folder, and the state kept there."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.postgres = self.root / "postgres"
        self.valkey = self.root / "valkey"
        self.logs = self.root / "logs"
        self.ready_file = self.root / "ready.json"
        self.service_account = self.root / "fcm-service-account.json"
        self._state_file = self.root / "state.json"

    def make(self) -> None:
        """Create the folder. Others may pass through it (the database's own user has to), not list it.

        Raises:
            CannotContinue: it cannot be created or written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.root.chmod(0o711)
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise CannotContinue(
                f"Cannot use {self.root} as home: {error.strerror}. Choose another folder with --home."
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home for this process. The kernel lets go of it however the process ends.

        Raises:
            CannotContinue: another `tidings up` holds it.
        """
        with (self.root / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise CannotContinue(self._in_use(file.read().strip())) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def load_state(self) -> State:
        """The state of the last start, or a new one.

        Raises:
            CannotContinue: the file is there and cannot be understood.
        """
        try:
            return msgspec.json.decode(self._state_file.read_bytes(), type=State)
        except FileNotFoundError:
            return State()
        except (msgspec.DecodeError, OSError) as error:
            raise CannotContinue(
                f"{self._state_file} cannot be read ({error}). Restore it, or use another --home."
            ) from error

    def save_state(self, state: State) -> None:
        """Keep `state`, whole or not at all."""
        write_private(self._state_file, msgspec.json.format(msgspec.json.encode(state)))

    def log_file(self, name: str) -> Path:
        """Where process `name` logs to. A file of more than 5 MiB becomes `<name>.log.1` first."""
        path = self.logs / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path

    def last_lines(self, name: str) -> str:
        """The end of a process's log, for people."""
        return last_lines(self.logs / f"{name}.log")

    def _in_use(self, pid: str) -> str:
        try:
            url = msgspec.json.decode(self.ready_file.read_bytes())["services"]["gateway"]["url"]
        except (OSError, msgspec.DecodeError, KeyError):
            url = "its gateway is not ready yet"
        return (
            f"Tidings already runs on {self.root} (pid {pid}, {url}). "
            f"Stop it with Ctrl-C or `kill {pid}`, or give this one another --home and --port-base."
        )


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log file, for people."""
    if not log.exists():
        return "  (it logged nothing)"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16_384))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-count:])


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable by its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _secret(length: int) -> str:
    return secrets.token_urlsafe(length)[:length]
