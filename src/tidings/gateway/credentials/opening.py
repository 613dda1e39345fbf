"""Everything about credentials, put together."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tidings.gateway.credentials.checking import ApiKeys, LivingTokens, storing_uses
from tidings.gateway.credentials.managing import KeyManagement
from tidings.gateway.credentials.signing import SigningKeys
from tidings.gateway.credentials.signing_store import SigningStore
from tidings.gateway.credentials.store import KeyStore
from tidings.gateway.credentials.tokens import TokenExchange
from tidings.kit.access_tokens import AccessTokens, KeyRing
from tidings.kit.auth import KeyCheck, TokenCheck
from tidings.kit.database import Database


@dataclass(frozen=True, slots=True)
class Credentials:
    """What checks credentials, and what the routes about them need."""

    check_key: KeyCheck
    check_token: TokenCheck
    provides: dict[str, object]


@asynccontextmanager
async def open_credentials(
    database: Database, secret: str, *, first_keys: Sequence[str | None] = ()
) -> AsyncIterator[Credentials]:
    """Make the first keys known, and store now and then when keys were last used.

    Args:
        database: the gateway's.
        secret: the service secret, under which signing keys are stored.
        first_keys: API keys from the environment, which get every scope; those that are None are left out.
    """
    store = KeyStore(database)
    api_keys = ApiKeys(store)
    for key in first_keys:
        if key is not None:
            await api_keys.bootstrap(key)
    signing_keys = SigningKeys(SigningStore(database), secret)
    tokens = AccessTokens(KeyRing(signing_keys.trusted))
    async with storing_uses(api_keys):
        yield Credentials(
            check_key=api_keys.check,
            check_token=LivingTokens(tokens, api_keys).check,
            provides={
                "api_keys": api_keys,
                "key_store": store,
                "key_management": KeyManagement(store, api_keys),
                "token_exchange": TokenExchange(signing_keys, api_keys),
                "signing_keys": signing_keys,
            },
        )
