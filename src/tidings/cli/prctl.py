"""What Linux lets a process say about itself (prctl(2)). Elsewhere nothing here does anything."""

import ctypes
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def dies_with_parent(number: signal.Signals) -> Callable[[], None]:
    """A call for a freshly forked child: the kernel shall send it `number` when its parent ends.

    The library is loaded now, because between fork and exec a child must not.
    """
    if sys.platform != "linux":
        return lambda: None
    prctl = ctypes.CDLL(None).prctl

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)

    return tie


def show_as(name: str) -> None:
    """Let `ps -o comm` and `top` show this process as `name`, of which they keep 15 characters."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
