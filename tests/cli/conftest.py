"""Folders for `tidings up`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import folder_for_homes


@pytest.fixture
def home() -> Iterator[Path]:
    """A new home, not yet made."""
    with folder_for_homes() as folder:
        yield folder / "home"


@pytest.fixture(scope="module")
def shared_home() -> Iterator[Path]:
    """A home for a stack that a module shares; its path is longer than a socket's may be, with spaces."""
    with folder_for_homes() as folder:
        yield folder / ("a folder with a long name " * 6).strip()
