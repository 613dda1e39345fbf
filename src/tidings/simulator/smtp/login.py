"""Who may log in: one user, with a password or with an access token."""

from base64 import b64decode
from hmac import compare_digest
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from litestar import Request, Response, Router, post

USERNAME = "simulator"
PASSWORD = "simulator-key"  # noqa: S105 - it opens nothing but the simulator
ACCESS_TOKEN = "simulator-token"  # noqa: S105 - the same
REFRESH_TOKEN = "simulator-refresh-token"  # noqa: S105 - the same
CLIENT_ID = "simulator-client"
CLIENT_SECRET = "simulator-client-secret"  # noqa: S105 - the same
LIFETIME_SECONDS = 3599

# What Gmail says: https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
_XOAUTH2_ERROR = '{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}'


def check_password(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: LoginPassword
) -> AuthResult:
    """For aiosmtpd: whether PLAIN or LOGIN succeeds; a refusal is its 535."""
    good = compare_digest(login.login, USERNAME.encode()) and compare_digest(
        login.password, PASSWORD.encode()
    )
    return AuthResult(success=good, handled=False)


async def check_xoauth2(server: SMTP, args: list[str]) -> AuthResult:
    """For aiosmtpd: a bad token is answered with an error in JSON, and refused after an empty line."""
    try:
        given = b64decode(args[1], validate=True) if len(args) > 1 else b""
    except ValueError:
        given = b""
    expected = f"user={USERNAME}\1auth=Bearer {ACCESS_TOKEN}\1\1".encode()
    if compare_digest(given, expected):
        return AuthResult(success=True)
    await server.challenge_auth(_XOAUTH2_ERROR)
    return AuthResult(success=False, handled=False)


def smtp_token_routes() -> Router:
    """The token endpoint for XOAUTH2."""
    return Router(path="/oauth", route_handlers=[renew], tags=["smtp"], security=[{}])


@post("/smtp-token", status_code=200, summary="Exchange a refresh token for an access token")
async def renew(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """RFC 6749, section 6; form-encoded."""
    form = await request.form()
    if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
        return _refusal(401, "invalid_client", "The OAuth client was not found.")
    if form.get("grant_type") != "refresh_token":
        return _refusal(400, "unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')}")
    if form.get("refresh_token") != REFRESH_TOKEN:
        return _refusal(400, "invalid_grant", "Token has been expired or revoked.")
    body = {"access_token": ACCESS_TOKEN, "expires_in": LIFETIME_SECONDS, "token_type": "Bearer"}
    return Response(body, headers={"Cache-Control": "no-store"})


def _refusal(status: int, error: str, description: str) -> Response[dict[str, Any]]:
    return Response({"error": error, "error_description": description}, status_code=status)
