"""Google's token endpoint: a signed assertion in, an access token out (RFC 7523).

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

import secrets
from datetime import timedelta
from typing import Any

import jwt
from litestar import Request, Response, Router, post
from litestar.di import NamedDependency

from tidings.kit.ids import now
from tidings.simulator.faults import GoogleTokenFault
from tidings.simulator.fcm.errors import unauthenticated, wrong_project
from tidings.simulator.fcm.service_account import ServiceAccount
from tidings.simulator.mail_apis.exchange import (
    ApiError,
    MailDesk,
    Reply,
    json_reply,
    phrase,
    render_api_error,
)

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPES = frozenset(
    {
        "https://www.googleapis.com/auth/firebase.messaging",
        "https://www.googleapis.com/auth/cloud-platform",
    }
)
LIFETIME = timedelta(seconds=3599)
MAX_ASSERTION_LIFETIME = timedelta(hours=1)
CLOCK_SKEW = timedelta(minutes=5)

_TIMEFRAME = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
    "Check your iat and exp values in the JWT claim."
)


class GrantRefused(Exception):
    """The answer of the token endpoint to a request it does not grant."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class AccessTokens:
    """Access tokens for one service account, in memory: after a restart clients need new ones."""

    def __init__(self, account: ServiceAccount) -> None:
        self._account = account
        self._key = account.public_key()
        self._ends: dict[str, Any] = {}

    def grant(self, assertion: str) -> str:
        """A new access token for an assertion signed with the account's key.

        Raises:
            GrantRefused: with Google's words for what is wrong.
        """
        claims = self._claims(assertion)
        if not SCOPES.intersection(str(claims.get("scope", "")).split()):
            raise GrantRefused("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        moment = now()
        self._ends = {token: end for token, end in self._ends.items() if end > moment}
        token = f"ya29.c.{secrets.token_urlsafe(60)}"
        self._ends[token] = moment + LIFETIME
        return token

    def check(self, header: str | None, project: str) -> None:
        """Refuse an `Authorization` header that does not entitle to send for `project`.

        Raises:
            GoogleError: 401, or 403 for another project.
        """
        scheme, _, token = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthenticated("CREDENTIALS_MISSING")
        end = self._ends.get(token)
        if end is None:
            raise unauthenticated("ACCESS_TOKEN_TYPE_UNSUPPORTED")
        if end <= now():
            raise unauthenticated("ACCESS_TOKEN_EXPIRED")
        if project != self._account.project_id:
            raise wrong_project(project)

    def _claims(self, assertion: str) -> dict[str, Any]:
        account = self._account
        try:
            claims: dict[str, Any] = jwt.decode(
                assertion,
                self._key,
                algorithms=["RS256"],
                audience=account.token_uri,
                issuer=account.client_email,
                options={"require": ["iss", "aud", "exp", "iat"]},
                leeway=CLOCK_SKEW,
            )
        except jwt.InvalidTokenError as error:
            raise GrantRefused("invalid_grant", self._why(error)) from error
        if claims["exp"] - claims["iat"] > MAX_ASSERTION_LIFETIME.total_seconds():
            raise GrantRefused("invalid_grant", _TIMEFRAME)
        return claims

    def _why(self, error: jwt.InvalidTokenError) -> str:
        match error:
            case jwt.InvalidSignatureError() | jwt.InvalidAlgorithmError():
                return "Invalid JWT Signature."
            case jwt.InvalidIssuerError():
                return "Invalid grant: account not found"
            case jwt.InvalidAudienceError():
                right = self._account.token_uri
                return f"Invalid JWT: Failed audience check. The right audience is {right}"
            case jwt.ExpiredSignatureError() | jwt.ImmatureSignatureError() | jwt.MissingRequiredClaimError():
                return _TIMEFRAME
            case _:
                return f"Invalid JWT: {error}"


def oauth_routes() -> Router:
    """The token endpoint, as `token_uri` of the service account names it."""
    return Router(
        path="/oauth",
        route_handlers=[exchange],
        exception_handlers={GrantRefused: _render_refusal, ApiError: render_api_error},
        tags=["fcm"],
        security=[{}],
    )


@post("/token", status_code=200, summary="Exchange a signed assertion for an access token")
async def exchange(
    request: Request[Any, Any, Any],
    access_tokens: NamedDependency[AccessTokens],
    desk: NamedDependency[MailDesk],
) -> Response[bytes]:
    """RFC 7523; form-encoded `grant_type` and `assertion`."""
    form = await request.form()
    grant_type, assertion = form.get("grant_type"), form.get("assertion")
    if grant_type != GRANT_TYPE:
        raise GrantRefused("unsupported_grant_type", f"Invalid grant_type: {grant_type or ''}")
    if not isinstance(assertion, str) or not assertion:
        raise GrantRefused("invalid_request", "Missing required parameter: assertion")

    def grant() -> Reply:
        token = access_tokens.grant(assertion)
        lifetime = int(LIFETIME.total_seconds())
        return json_reply(200, {"access_token": token, "expires_in": lifetime, "token_type": "Bearer"})

    return await desk.serve(request, GoogleTokenFault, [], refuse=_fault_error, take=grant)


def _fault_error(fault: GoogleTokenFault, status: int) -> Exception:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    words = {"error": "internal_failure", "error_description": phrase(status)}
    return ApiError(json_reply(status, words, headers))


def _render_refusal(_request: Request[Any, Any, Any], error: GrantRefused) -> Response[dict[str, str]]:
    body = {"error": error.error, "error_description": error.description}
    return Response(body, status_code=400)
