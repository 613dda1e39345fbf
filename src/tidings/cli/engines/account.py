"""PostgreSQL refuses to run as root, so root runs it as a system user of its own."""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tidings.cli.errors import CannotContinue

USER = "tidings-postgres"


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """Who a server runs as. Nones mean: as we do."""

    uid: int | None = None
    gid: int | None = None

    @property
    def groups(self) -> list[int] | None:
        """Supplementary groups: none at all for another user."""
        return None if self.uid is None else []

    def own(self, path: Path) -> None:
        """Give a path to the account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def server_account(*, reads: Sequence[Path], works_in: Path) -> ServerAccount:
    """Ourselves, or for root a system user that can reach the programs below `reads` and its data.

    Raises:
        CannotContinue: the user cannot be created.
    """
    if os.geteuid() != 0:
        return ServerAccount()
    entry = _ensure_user()
    for folder in {parent for path in (*reads, works_in) for parent in path.parents}:
        _let_pass(folder)
    for root in reads:
        for path in (root, *root.rglob("*")):
            _let_read(path)
    return ServerAccount(uid=entry.pw_uid, gid=entry.pw_gid)


def _ensure_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        pass
    useradd = shutil.which("useradd", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if useradd is None:
        raise CannotContinue(
            f"PostgreSQL does not run as root, and there is no useradd to make the user {USER} with. "
            f"Create that user, run Tidings as a normal user, or name a running server with --database."
        )
    command = [useradd, "--system", "--no-create-home", "--user-group", "--shell", "/usr/sbin/nologin", USER]
    made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        raise CannotContinue(
            f"PostgreSQL does not run as root, and the user {USER} cannot be made: {made.stderr.strip()}"
        ) from None


def _let_pass(folder: Path) -> None:
    # The right to go through a folder is all it takes; listing it stays as it was.
    mode = folder.stat().st_mode
    if not mode & stat.S_IXOTH:
        folder.chmod(mode | stat.S_IXOTH)


def _let_read(path: Path) -> None:
    # Wheels unpacked under a strict umask are root's alone.
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return
    wanted = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0)
    if mode & wanted != wanted:
        path.chmod(mode | wanted)
