"""Exchanging an API key for an access token: a JWT that other services check without asking anyone."""

from datetime import timedelta
from uuid import UUID

import jwt

from tidings.contracts.keys import AccessToken, NewAccessToken
from tidings.gateway.credentials.checking import ApiKeys
from tidings.gateway.credentials.managing import refuse_missing
from tidings.gateway.credentials.signing import SigningKeys
from tidings.kit.access_tokens import ALGORITHM, AUDIENCE, ISSUER
from tidings.kit.auth import ACCESS_TOKEN, Principal
from tidings.kit.errors import Forbidden
from tidings.kit.ids import new_id, now


class TokenExchange:
    """Signs access tokens for API keys."""

    def __init__(self, signing_keys: SigningKeys, api_keys: ApiKeys) -> None:
        self._signing_keys = signing_keys
        self._api_keys = api_keys

    async def exchange(self, wanted: NewAccessToken, caller: Principal) -> AccessToken:
        """A token for the caller's key, which ends with the key at the latest.

        Raises:
            Forbidden: the caller shows no API key, or asks for more than the key may do.
            Unavailable: the database does not answer.
        """
        # A token that could be exchanged for the next would never end.
        if caller.kind != "api_key":
            raise Forbidden("Only an API key can be exchanged for an access token", code="api_key_required")
        refuse_missing(caller, wanted.scopes or ())
        scope = " ".join(sorted(set(wanted.scopes or caller.scopes)))
        key = await self._signing_keys.current()
        moment = now()
        ends = moment + timedelta(seconds=wanted.seconds)
        holder = await self._api_keys.holder(UUID(caller.owner))
        if holder is not None and holder.ends_at is not None:
            ends = min(ends, holder.ends_at)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": caller.owner,
            "scope": scope,
            "sandbox": caller.sandbox,
            "iat": moment,
            "exp": ends,
            "jti": str(new_id()),
        }
        token = jwt.encode(
            claims, key.private_key, algorithm=ALGORITHM, headers={"kid": key.id, "typ": ACCESS_TOKEN}
        )
        return AccessToken(access_token=token, expires_in=int((ends - moment).total_seconds()), scope=scope)
