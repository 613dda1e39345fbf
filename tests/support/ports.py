"""Ports of the loopback address for the servers of tests.

Each worker of a run has some of its own, as a server binds seconds after its port was chosen. They lie below
those of outgoing connections (from 32,768 on, `ip_local_port_range`): none of these takes a port before its
server is there, or while a test has stopped it.
"""

import os
import random
import socket
from collections.abc import Iterator, Sequence
from itertools import cycle

FIRST, LAST = 10_240, 32_767
OFFSETS = (0, 1, 2, 3, 4, 25, 26)
"""What `tidings up` takes from its first port on."""

_STACK = 30
"""Ports between two stacks' first."""


def free_port() -> int:
    """A port that nothing listens on now, and that is not given again soon."""
    return next(port for port in _singles if _is_free(port))


def free_port_base() -> int:
    """A number from which all ports that `--port-base` takes are free now, and not given again soon."""
    return next(base for base in _bases if all(_is_free(base + offset) for offset in OFFSETS))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _own() -> range:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    size = (LAST - FIRST) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return range(FIRST + worker * size, FIRST + (worker + 1) * size)


def _shuffled(ports: Sequence[int]) -> Iterator[int]:
    # In an order of chance, since another run may choose among the same ones at the same time.
    return cycle(random.SystemRandom().sample(ports, k=len(ports)))


_middle = len(_own()) // 2
_singles = _shuffled(_own()[:_middle])
_bases = _shuffled(_own()[_middle:-_STACK:_STACK])
