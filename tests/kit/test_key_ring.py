"""Public keys that come from elsewhere: fetched when needed, and kept when they cannot be."""

import asyncio

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tidings.kit.access_tokens import KeyRing
from tidings.kit.errors import Unavailable


class Source:
    """Where keys are fetched: it counts, and may be down."""

    def __init__(self, *key_ids: str) -> None:
        self.keys = {key_id: Ed25519PrivateKey.generate().public_key() for key_id in key_ids}
        self.down = False
        self.fetches = 0

    async def fetch(self) -> dict[str, Ed25519PublicKey]:
        self.fetches += 1
        if self.down:
            raise Unavailable("Not now", code="keys_unavailable")
        return dict(self.keys)


async def test_keys_are_fetched_once() -> None:
    """What is known is not asked for again, for any of the keys."""
    source = Source("a", "b")
    ring = KeyRing(source.fetch)
    for key_id in "abab":
        assert await ring.find(key_id) is source.keys[key_id]
    assert source.fetches == 1


async def test_made_up_ids_share_a_fetch() -> None:
    """Many unknown ids at once cost two questions, and a key made meanwhile is found."""
    source = Source("a")
    ring = KeyRing(source.fetch)
    assert await ring.find("a") is source.keys["a"]
    source.keys |= Source("new").keys
    found = await asyncio.gather(ring.find("new"), *(ring.find(f"made up {n}") for n in range(100)))
    assert found == [source.keys["new"], *[None] * 100]
    assert source.fetches <= 3


async def test_a_key_that_was_withdrawn_is_forgotten() -> None:
    """Keys that are no longer fresh are fetched again, and one that is gone is no longer good."""
    source = Source("a", "b")
    ring = KeyRing(source.fetch, fresh_seconds=0)
    assert await ring.find("a") is not None
    del source.keys["a"]
    assert await ring.find("a") is None


async def test_known_keys_outlast_an_outage() -> None:
    """While keys cannot be fetched those that are known stay good, and others may be tried again."""
    source = Source("a")
    ring = KeyRing(source.fetch, fresh_seconds=0)
    assert await ring.find("a") is not None
    source.down = True
    for _ in range(3):
        assert await ring.find("a") is source.keys["a"]
    assert source.fetches == 2
    with pytest.raises(Unavailable):
        await ring.find("b")
