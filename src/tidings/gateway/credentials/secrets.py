"""The secret part of an API key: made, told apart, and known again by its digest."""

import secrets
from dataclasses import dataclass
from hashlib import sha256

from tidings.contracts.keys import Mode

PREFIX_CHARS = 13
"""What is stored in the clear: the mode and four characters, too few to help anyone guess the rest."""
TEST_PREFIX = "tdg_test_"


@dataclass(frozen=True, slots=True)
class Secret:
    """What is stored of a secret."""

    prefix: str
    digest: bytes
    sandbox: bool


def new_key(mode: Mode) -> str:
    """A key with 256 random bits."""
    return f"tdg_{mode}_{secrets.token_urlsafe(32)}"


def secret_of(key: str) -> Secret:
    """What to store of a key."""
    return Secret(key[:PREFIX_CHARS], digest_of(key), sandbox=key.startswith(TEST_PREFIX))


def digest_of(key: str) -> bytes:
    """What a key is looked up by. It is random, so a slow hash would add nothing but time."""
    return sha256(key.encode()).digest()
