"""The HTTP side of access tokens and of the keys that sign them."""

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from tidings.contracts.keys import AccessToken, NewAccessToken, VerificationKey, VerificationKeys
from tidings.contracts.scopes import Scope
from tidings.gateway.credentials.signing import SigningKeys
from tidings.gateway.credentials.tokens import TokenExchange
from tidings.kit.auth import Principal, authenticated, requires
from tidings.kit.errors import Forbidden
from tidings.kit.examples import example_of
from tidings.kit.problems import refusals

TAGS = ["access tokens"]
INVALID = "`invalid_request`: `errors` names each field at fault"
UNAVAILABLE = "`database_unavailable`"

NEW = NewAccessToken(scopes=[Scope.NOTIFICATIONS_READ], seconds=900)
EXAMPLE = AccessToken(
    access_token="eyJhbGciOiJFZERTQSIs...",  # noqa: S106 - the beginning of any token
    expires_in=900,
    scope="notifications:read",
)
KEY = VerificationKey(
    kid="01990c3e-9b21-7c3e-8d75-3e2f1a4b5c6d", x="11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
)

Caller = Request[Principal, None, State]
Keys = NamedDependency[SigningKeys]


@post(
    "/v1/tokens",
    guards=[authenticated],
    status_code=200,
    tags=TAGS,
    summary="Exchange an API key for a short-lived token",
    operation_class=example_of(request=NEW, answer=EXAMPLE),
    responses=refusals(
        {
            403: "`api_key_required` or `cannot_grant`: a token may do what its API key may, or less",
            422: INVALID,
            503: UNAVAILABLE,
        }
    ),
)
async def exchange(
    data: JSONBody[NewAccessToken], request: Caller, token_exchange: NamedDependency[TokenExchange]
) -> Response[AccessToken]:
    """A JWT (EdDSA) for places where an API key should not be, such as a browser. It cannot be renewed."""
    token = await token_exchange.exchange(data, request.user)
    return Response(token, headers={"Cache-Control": "no-store"})


@post(
    "/v1/tokens/rotate-keys",
    guards=[requires("api-keys:write")],
    status_code=200,
    tags=TAGS,
    summary="Sign access tokens with a new key",
    operation_class=example_of(answer=KEY),
    responses=refusals(
        {403: "`cannot_grant`: tokens of live keys are signed with them too", 503: UNAVAILABLE}
    ),
)
async def rotate_keys(request: Caller, signing_keys: Keys) -> VerificationKey:
    """Happens by itself every 30 days. Tokens signed before stay good until they expire.

    Other gateways sign with the new key within a minute.
    """
    if request.user.sandbox:
        raise Forbidden(
            "A test key cannot rotate what tokens of live keys are signed with", code="cannot_grant"
        )
    return await signing_keys.rotate(request.user.owner)


@get(
    "/.well-known/jwks.json",
    tags=TAGS,
    summary="The public keys that prove access tokens",
    operation_class=example_of(answer=VerificationKeys(keys=[KEY])),
    security=[{}],
)
async def published_keys(signing_keys: Keys) -> Response[VerificationKeys]:
    """A JSON Web Key Set (RFC 7517). Read it again when a token names a key that is not in it."""
    return Response(await signing_keys.published(), headers={"Cache-Control": "public, max-age=60"})


TOKEN_ROUTES: list[ControllerRouterHandler] = [exchange, rotate_keys, published_keys]
