"""API keys: `tdg_live_…` and `tdg_test_…`, stored as SHA-256 digests.

They are random, so a slow hash adds nothing.
"""

from collections.abc import Sequence
from hashlib import sha256

from cachetools import TTLCache

from tidings.gateway.key_store import KeyRow, KeyStore
from tidings.kit.auth import EVERYTHING, Principal
from tidings.kit.batching import Batcher
from tidings.kit.ids import new_id

REMEMBERED_SECONDS = 10
PREFIX_CHARS = 13
TEST_PREFIX = "tdg_test_"


class ApiKeys:
    """Checks keys. A key is remembered for 10 s, which is how late a revocation may bite.

    Concurrent checks share one query: a burst must not take every database connection.
    """

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._known: TTLCache[bytes, Principal] = TTLCache(10_000, REMEMBERED_SECONDS)
        self._lookups: Batcher[bytes, KeyRow | None] = Batcher(self._look_up)

    async def check(self, key: str) -> Principal | None:
        """Whose key it is; None when it is unknown or revoked.

        Raises:
            Unavailable: the database does not answer, and the key was not seen lately.
        """
        digest = _digest(key)
        if digest in self._known:
            return self._known[digest]
        row = await self._lookups.submit(digest)
        if row is None:
            return None
        principal = Principal(owner=str(row.id), kind="api_key", scopes=row.scopes, sandbox=row.sandbox)
        self._known[digest] = principal
        return principal

    async def bootstrap(self, key: str) -> None:
        """Make a first key known, with every scope; its prefix says whether it is a test key."""
        await self._store.add(
            new_id(),
            "bootstrap",
            key[:PREFIX_CHARS],
            _digest(key),
            [EVERYTHING],
            sandbox=key.startswith(TEST_PREFIX),
        )

    async def _look_up(self, digests: list[bytes]) -> Sequence[KeyRow | None]:
        found = await self._store.keys(digests)
        return [found.get(digest) for digest in digests]


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()
