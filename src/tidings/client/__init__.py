"""Typed clients of our own services; `Tidings` is the public SDK (docs/python.md)."""

from typing import TYPE_CHECKING

from tidings.client.http import RemoteProblem, RemoteUnavailable

if TYPE_CHECKING:
    from tidings.client.sdk import Tidings

__all__ = ["RemoteProblem", "RemoteUnavailable", "Tidings"]


def __getattr__(name: str) -> object:
    # Every service loads this package for a part of it, and need not load the rest.
    if name == "Tidings":
        from tidings.client.sdk import Tidings  # noqa: PLC0415 - see above

        return Tidings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
