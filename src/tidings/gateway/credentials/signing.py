"""The keys that sign access tokens: made, shared by all gateways, rotated, published."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from cachetools import TTLCache
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tidings.contracts.keys import MAX_TOKEN_SECONDS, VerificationKey, VerificationKeys
from tidings.gateway.credentials.sealing import Unsealable, seal, unseal
from tidings.gateway.credentials.signing_store import SigningStore, StoredKey
from tidings.kit.access_tokens import LEEWAY_SECONDS, key_as_text
from tidings.kit.ids import new_id, now

ROTATED_AFTER = timedelta(days=30)
REMEMBERED_SECONDS = 60
"""How long a gateway may go on signing with a key that another one has retired."""
TRUSTED_AFTER = timedelta(seconds=MAX_TOKEN_SECONDS + LEEWAY_SECONDS + 2 * REMEMBERED_SECONDS)
GATEWAY = "gateway"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key ready to sign."""

    id: str
    private_key: Ed25519PrivateKey


class SigningKeys:
    """The signing keys in the database, their private parts sealed with the service secret."""

    def __init__(self, store: SigningStore, secret: str) -> None:
        self._store = store
        self._secret = secret
        self._remembered: TTLCache[None, SigningKey] = TTLCache(1, REMEMBERED_SECONDS)

    async def current(self) -> SigningKey:
        """The key to sign with. One that is 30 days old, or that we cannot read, is replaced first.

        Raises:
            Unavailable: the database does not answer.
        """
        remembered = self._remembered.get(None)
        if remembered is not None:
            return remembered
        stored = await self._store.in_use()
        key = self._usable(stored)
        if key is None:
            key = await self._replace(stored, GATEWAY)
        self._remembered[None] = key
        return key

    async def rotate(self, actor: str) -> VerificationKey:
        """Put a new key in use now. Tokens signed with the old one stay good until they expire."""
        key = await self._replace(await self._store.in_use(), actor)
        self._remembered[None] = key
        return _published(key.id, key.private_key.public_key())

    async def published(self) -> VerificationKeys:
        """The public parts of all keys whose tokens may live, as others read them."""
        keys = await self.trusted()
        return VerificationKeys(keys=[_published(key_id, key) for key_id, key in keys.items()])

    async def trusted(self) -> Mapping[str, Ed25519PublicKey]:
        """The public parts of all keys whose tokens may live, by id."""
        stored = await self._store.trusted(retired_after=now() - TRUSTED_AFTER)
        return {key.id: Ed25519PublicKey.from_public_bytes(key.public_key) for key in stored}

    def _usable(self, stored: StoredKey | None) -> SigningKey | None:
        if stored is None or stored.created_at <= now() - ROTATED_AFTER:
            return None
        try:
            return self._opened(stored)
        except Unsealable as error:
            log.warning("signing_key_unreadable", key_id=stored.id, error=str(error))
            return None

    async def _replace(self, old: StoredKey | None, actor: str) -> SigningKey:
        new = self._sealed(Ed25519PrivateKey.generate(), now())
        if not await self._store.replace(old, new, actor=actor, keep=TRUSTED_AFTER):
            new = await self._store.in_use() or new
        return self._opened(new)

    def _sealed(self, key: Ed25519PrivateKey, moment: datetime) -> StoredKey:
        key_id = str(new_id())
        sealed = seal(self._secret, key_id, key.private_bytes_raw())
        return StoredKey(key_id, key.public_key().public_bytes_raw(), sealed, moment)

    def _opened(self, stored: StoredKey) -> SigningKey:
        private = unseal(self._secret, stored.id, stored.sealed_private_key)
        return SigningKey(stored.id, Ed25519PrivateKey.from_private_bytes(private))


def _published(key_id: str, key: Ed25519PublicKey) -> VerificationKey:
    return VerificationKey(kid=key_id, x=key_as_text(key))
