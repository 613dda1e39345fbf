"""Who is calling: services with tokens of their own and, where a service takes them, callers.

Callers show an API key, or an access token that they were given for one.
"""

from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Literal

import jwt
import msgspec
from cachetools import TTLCache
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler

from tidings.kit.errors import Forbidden, Unauthenticated
from tidings.kit.ids import now

ALGORITHM = "HS256"
LIFETIME = timedelta(minutes=5)
KEPT = LIFETIME - timedelta(minutes=1)
EVERYTHING = "*"
ACCESS_TOKEN = "at+jwt"  # noqa: S105 - the media type of access tokens, RFC 9068, section 2.1


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """A caller whose credential was checked. `owner` scopes idempotency keys and lists.

    `owner` is the name of a service, or the id of an API key, also where a token stands for it or a
    service hands on its request.
    `sandbox`: with a test key nothing reaches a real provider.
    """

    owner: str
    kind: Literal["service", "api_key", "access_token"]
    scopes: frozenset[str]
    sandbox: bool = False

    def may(self, scope: str) -> bool:
        """Whether the caller holds `scope`."""
        return scope in self.scopes or EVERYTHING in self.scopes


class _TokenHeader(msgspec.Struct, frozen=True):
    typ: str | None = None


AuthenticatedRequest = Request[Principal, None, State]
"""A request behind a guard of this module: its `user` is who sent it."""
AsyncGuard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]
KeyCheck = Callable[[str], Awaitable[Principal | None]]
TokenCheck = Callable[[str], Awaitable[Principal]]


class ServiceTokens:
    """Sign tokens for calls to other services, and check those shown to us.

    A token names who calls (`iss`), on whose behalf (`sub`) and whom (`aud`), and lives for 5 minutes
    (RFC 7519); a token for one service is worth nothing at another.
    """

    def __init__(self, service: str, secret: str) -> None:
        self._service = service
        self._secret = secret
        self._kept: TTLCache[tuple[str, ...], str] = TTLCache(1_000, KEPT.total_seconds())

    def sign(
        self, audience: str, scopes: Sequence[str] = (EVERYTHING,), *, on_behalf_of: str | None = None
    ) -> str:
        """A token for calls to `audience`; kept and renewed a minute before it ends.

        `on_behalf_of` is the `owner` of the caller whose request is handed on, where it is not our own.
        """
        subject = on_behalf_of or self._service
        kept = self._kept.get((audience, subject, *scopes))
        if kept is not None:
            return kept
        moment = now()
        claims = {
            "iss": self._service,
            "sub": subject,
            "aud": audience,
            "iat": moment,
            "exp": moment + LIFETIME,
            "scope": " ".join(scopes),
        }
        token = jwt.encode(claims, self._secret, algorithm=ALGORITHM)
        self._kept[audience, subject, *scopes] = token
        return token

    def check(self, token: str) -> Principal:
        """The service behind a token, as the `owner` on whose behalf it calls.

        Raises:
            Unauthenticated: wrong signature, audience or algorithm, or expired.
        """
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                audience=self._service,
                options={"require": ["iss", "aud", "exp"]},
                leeway=10,
            )
        except jwt.InvalidTokenError as error:
            raise Unauthenticated(f"This is no API key, and no valid token of a service: {error}") from error
        scopes = frozenset(str(claims.get("scope", "")).split())
        # Tokens of the release before name no subject: the services are not all replaced at once.
        owner = str(claims.get("sub", claims["iss"]))
        return Principal(owner=owner, kind="service", scopes=scopes)


class Authenticator:
    """Check the `Authorization: Bearer` header of a request, whatever kind of credential it holds."""

    def __init__(
        self,
        tokens: ServiceTokens,
        check_key: KeyCheck | None = None,
        check_access_token: TokenCheck | None = None,
    ) -> None:
        self._tokens = tokens
        self._check_key = check_key
        self._check_access_token = check_access_token

    async def authenticate(self, header: str | None) -> Principal:
        """The caller.

        Raises:
            Unauthenticated: no credential, or one that is not valid here.
        """
        scheme, _, credential = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not credential:
            raise Unauthenticated(
                "Send a credential as `Authorization: Bearer <API key>`", code="missing_credential"
            )
        if is_api_key(credential):
            return await self._owner_of(credential)
        # A forger may choose the branch; each takes one algorithm and keys of its own.
        if self._check_access_token is not None and is_access_token(credential):
            return await self._check_access_token(credential)
        return self._tokens.check(credential)

    async def _owner_of(self, key: str) -> Principal:
        principal = await self._check_key(key) if self._check_key else None
        if principal is None:
            raise Unauthenticated(
                "The API key is not known here, was revoked, or has expired", code="unknown_api_key"
            )
        return principal


def is_api_key(credential: str) -> bool:
    """Whether a credential has the form of an API key (`tdg_live_…`, `tdg_test_…`)."""
    return credential.startswith("tdg_")


def is_access_token(credential: str) -> bool:
    """Whether a credential says of itself that it is an access token. That is a hint and no proof."""
    # PyJWT would look at the signature too, and one that was cut off would hide what the token is.
    header = credential.partition(".")[0]
    try:
        decoded = urlsafe_b64decode(header + "=" * (-len(header) % 4))
        return msgspec.json.decode(decoded, type=_TokenHeader).typ == ACCESS_TOKEN
    except (ValueError, msgspec.DecodeError):
        return False


async def authenticated(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """A route guard: the caller must be known; afterwards `request.user` is a `Principal`."""
    authenticator: Authenticator = connection.app.state.authenticator
    header = connection.headers.get("authorization")
    connection.scope["user"] = await authenticator.authenticate(header)


def requires(scope: str) -> AsyncGuard:
    """A route guard: the caller must be known and hold `scope`."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        await authenticated(connection, handler)
        if not connection.user.may(scope):
            raise Forbidden(f"This credential lacks the scope {scope}", code="missing_scope")

    return guard


async def only_services(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """A route guard, after `requires`: no API key and no access token, whatever their scopes."""
    if connection.user.kind != "service":
        raise Forbidden("Only the services of this installation may do this", code="missing_scope")


async def from_this_machine(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """A route guard for metrics and schemas: free on loopback, `metrics:read` from anywhere else."""
    if connection.client is None or connection.client.host not in {"127.0.0.1", "::1"}:
        await requires("metrics:read")(connection, handler)
