"""What the services say to each other about API keys."""

from typing import Annotated

from msgspec import Meta

from tidings.contracts.base import Incoming, Outgoing


class KeyCheck(Incoming, frozen=True, kw_only=True):
    """An API key that a caller showed to another service."""

    key: Annotated[str, Meta(max_length=200)]


class KeyOwner(Outgoing, frozen=True, kw_only=True):
    """Whose key it is, what it may do, and whether it is a test key."""

    owner: str
    scopes: list[str]
    sandbox: bool = False
