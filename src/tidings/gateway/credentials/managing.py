"""Making, rotating and revoking API keys, with the rules on who may."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from tidings.contracts.keys import ApiKey, IssuedApiKey, KeyRotation, NewApiKey
from tidings.contracts.scopes import ROLE_SCOPES
from tidings.gateway.credentials.checking import ApiKeys
from tidings.gateway.credentials.secrets import PREFIX_CHARS, new_key, secret_of
from tidings.gateway.credentials.store import KeyStore, Revocation
from tidings.kit.auth import Principal
from tidings.kit.errors import Conflict, FieldFault, Forbidden, NotFound, Unprocessable
from tidings.kit.ids import new_id, now


class KeyManagement:
    """Changes keys. Nobody gets a secret that may do more than they may themselves."""

    def __init__(self, store: KeyStore, api_keys: ApiKeys) -> None:
        self._store = store
        self._api_keys = api_keys

    async def create(self, wanted: NewApiKey, caller: Principal) -> IssuedApiKey:
        """A new key, with its secret.

        Raises:
            Unprocessable: both scopes and a role, or neither; an end that is past.
            Forbidden: it could do what the caller may not.
        """
        scopes = _wanted_scopes(wanted)
        if wanted.expires_at is not None and wanted.expires_at <= now():
            raise _invalid("$.expires_at", "This moment is past")
        _refuse_more(caller, scopes, test=wanted.mode == "test")
        secret = new_key(wanted.mode)
        key = ApiKey(
            id=new_id(),
            name=wanted.name,
            prefix=secret[:PREFIX_CHARS],
            scopes=scopes,
            role=wanted.role,
            mode=wanted.mode,
            created_at=now(),
            expires_at=wanted.expires_at,
        )
        await self._store.add(key, secret_of(secret), actor=caller.owner)
        return issued(key, secret)

    async def rotate(self, key_id: UUID, rotation: KeyRotation, caller: Principal) -> IssuedApiKey:
        """The key with another secret; the old one stays good for a while.

        Raises:
            NotFound: there is no such key.
            Forbidden: it can do what the caller may not.
            Conflict: it was revoked or has expired.
        """
        key = await self.find(key_id)
        _refuse_more(caller, key.scopes, test=key.mode == "test")
        secret = new_key(key.mode)
        until = now() + timedelta(seconds=rotation.overlap_seconds)
        rotated = await self._store.replace_secret(key_id, secret_of(secret), until=until, actor=caller.owner)
        if rotated is None:
            raise Conflict(
                "This key was revoked or has expired; create another with POST /v1/api-keys",
                code="ended_api_key",
            )
        self._api_keys.forget()
        return issued(rotated, secret)

    async def revoke(self, key_id: UUID, caller: Principal, *, force: bool) -> None:
        """End a key for good.

        Raises:
            NotFound: there is no such key.
            Forbidden: a test key would revoke a live one.
            Conflict: without it nobody could make keys, and `force` does not say that this is meant.
        """
        if caller.sandbox and (await self.find(key_id)).mode == "live":
            raise Forbidden("A test key cannot revoke a live one", code="cannot_grant")
        match await self._store.revoke(key_id, actor=caller.owner, even_last=force):
            case Revocation.UNKNOWN:
                raise _unknown(key_id)
            case Revocation.LAST:
                raise Conflict(
                    "This is the last live key that may make keys. Create another first, or add ?force=true",
                    code="last_api_key",
                )
            case Revocation.DONE:
                self._api_keys.forget()

    async def find(self, key_id: UUID) -> ApiKey:
        """One key, also when it has ended.

        Raises:
            NotFound: there is no such key.
        """
        key = await self._store.key(key_id)
        if key is None:
            raise _unknown(key_id)
        return key


def refuse_missing(caller: Principal, scopes: Iterable[str]) -> None:
    """Refuse to hand on what the caller does not hold.

    Raises:
        Forbidden: names the scopes that the caller lacks.
    """
    missing = sorted(scope for scope in scopes if not caller.may(scope))
    if missing:
        raise Forbidden(
            f"Nobody can hand on what they may not do themselves; missing: {', '.join(missing)}",
            code="cannot_grant",
        )


def _refuse_more(caller: Principal, scopes: Iterable[str], *, test: bool) -> None:
    refuse_missing(caller, scopes)
    if caller.sandbox and not test:
        raise Forbidden("A test key can make and rotate test keys only", code="cannot_grant")


def _wanted_scopes(wanted: NewApiKey) -> list[str]:
    if wanted.role is not None and wanted.scopes is None:
        return sorted(ROLE_SCOPES[wanted.role])
    if wanted.scopes is not None and wanted.role is None:
        return sorted(set(wanted.scopes))
    raise _invalid("$.scopes" if wanted.role else "$", "Give either scopes or a role")


def issued(key: ApiKey, secret: str) -> IssuedApiKey:
    """A key with its secret, to be shown once."""
    return IssuedApiKey(key=secret, **{name: getattr(key, name) for name in ApiKey.__struct_fields__})


def _invalid(field: str, message: str) -> Unprocessable:
    return Unprocessable(
        f"The request does not fit: {field}: {message}",
        code="invalid_request",
        errors=[FieldFault(field=field, message=message)],
    )


def _unknown(key_id: UUID) -> NotFound:
    return NotFound(f"There is no API key with the id {key_id}", code="unknown_api_key")
