"""What is wrong in a folder of templates, said by file and line."""

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class FileFault:
    """What is wrong in a file, for its writer. `line` counts from 1."""

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where}: {self.message}"

    def within(self, folder: str) -> "FileFault":
        """The fault as seen from the folder above."""
        return replace(self, path=f"{folder}/{self.path}")


class Faulty(ValueError):
    """Files that say nothing that could be sent; `faults` has every reason."""

    def __init__(self, *faults: FileFault) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults: Sequence[FileFault] = faults
