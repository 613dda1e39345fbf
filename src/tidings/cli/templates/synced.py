"""Which state of a server this folder was last the same as, so that nobody's later work is overwritten."""

from pathlib import Path

import msgspec

from tidings.cli.templates.folder import Folder

FILE = ".synced.json"


class Synced:
    """Entity tags by path, per server, in a file of the folder.

    It belongs to one working copy and not into git: a fresh checkout knows nothing, and pushes what it has.
    """

    def __init__(self, root: Path, url: str) -> None:
        self._file = root / FILE
        self._url = url.rstrip("/")
        self._all = self._load()
        self._tags = self._all.setdefault(self._url, {})

    def tag(self, path: str) -> str | None:
        """The tag that `path` had when both sides were last the same; None where that is not known."""
        return self._tags.get(path)

    def record(self, path: str, etag: str | None) -> None:
        """Both sides of `path` are the same now."""
        if etag is not None:
            self._tags[path] = etag

    def save(self) -> None:
        """Write the file, where there is something to write.

        Raises:
            CannotContinue: it cannot be written.
        """
        if self._tags:
            text = msgspec.json.format(msgspec.json.encode(self._all, order="sorted")).decode()
            Folder(self._file.parent).write(FILE, f"{text}\n")

    def _load(self) -> dict[str, dict[str, str]]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, dict[str, str]])
        except (OSError, msgspec.DecodeError):
            return {}
