"""Google's error bodies (google.rpc.Status as JSON), worded as FCM words them.

https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode, https://cloud.google.com/apis/design/errors
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_EXPECTED = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project."
)

# status -> (gRPC status, FCM error code, words)
_PLAIN = {
    400: ("INVALID_ARGUMENT", "INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR", "Auth error from APNS or Web Push Service"),
    403: ("PERMISSION_DENIED", "SENDER_ID_MISMATCH", "SenderId mismatch"),
    404: ("NOT_FOUND", "UNREGISTERED", "Requested entity was not found."),
    429: ("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "Quota exceeded for quota metric 'Send requests'."),
    500: ("INTERNAL", "INTERNAL", "Internal error encountered."),
    503: ("UNAVAILABLE", "UNAVAILABLE", "The service is currently unavailable."),
}


class Violation(msgspec.Struct, frozen=True):
    """One field that is wrong: its path in the request, and Google's words."""

    field: str
    description: str


class GoogleError(Exception):
    """An error answer of a Google API."""

    def __init__(
        self,
        code: int,
        status: str,
        message: str,
        details: Sequence[dict[str, Any]] = (),
        *,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.headers = headers or {}
        self.body: dict[str, Any] = {"code": code, "message": message, "status": status}
        if details:
            self.body["details"] = list(details)


class FrontEndError(Exception):
    """What Google's front end says when no server behind it answered: HTML, not JSON."""

    def __init__(self, code: int, headers: dict[str, str]) -> None:
        super().__init__(f"{code}")
        self.code = code
        self.headers = headers


def fcm_error(code: int, message: str | None = None, *, retry_after: int | None = None) -> Exception:
    """The usual answer of FCM with this HTTP status; 502 and 504 come from the front end."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if code not in _PLAIN:
        return FrontEndError(code, headers)
    status, error_code, words = _PLAIN[code]
    detail = {"@type": _FCM_ERROR, "errorCode": error_code}
    return GoogleError(code, status, message or words, [detail], headers=headers)


def malformed(violations: Sequence[Violation]) -> GoogleError:
    """400 for a request that does not have the API's shape: refused before FCM looks at it."""
    words = "\n".join(violation.description for violation in violations)
    return GoogleError(400, "INVALID_ARGUMENT", words, [_bad_request(violations)])


def invalid_message(field: str, words: str) -> GoogleError:
    """400 for a message of the right shape that FCM refuses."""
    details = [
        {"@type": _FCM_ERROR, "errorCode": "INVALID_ARGUMENT"},
        _bad_request([Violation(field, words)]),
    ]
    return GoogleError(400, "INVALID_ARGUMENT", words, details)


def unreadable(words: str) -> GoogleError:
    """400 for a body that is no JSON."""
    return GoogleError(400, "INVALID_ARGUMENT", f"Invalid JSON payload received. {words}")


def unauthenticated(reason: str) -> GoogleError:
    """401; `reason` is one of google.api.ErrorReason, such as ACCESS_TOKEN_EXPIRED."""
    missing = reason == "CREDENTIALS_MISSING"
    first = "Request is missing required" if missing else "Request had invalid"
    words = f"{first} authentication credential{'' if missing else 's'}. {_EXPECTED}"
    metadata = {
        "service": "fcm.googleapis.com",
        "method": "google.firebase.fcm.v1.FcmService.SendMessage",
    }
    info = {"@type": _ERROR_INFO, "reason": reason, "domain": "googleapis.com", "metadata": metadata}
    challenge = 'Bearer realm="https://accounts.google.com/"' + ("" if missing else ', error="invalid_token"')
    return GoogleError(401, "UNAUTHENTICATED", words, [info], headers={"WWW-Authenticate": challenge})


def wrong_project(project: str) -> GoogleError:
    """403 for a project that the credential may not send for."""
    resource = f"//cloudresourcemanager.googleapis.com/projects/{project}"
    permission = "cloudmessaging.messages.create"
    info = {
        "@type": _ERROR_INFO,
        "reason": "IAM_PERMISSION_DENIED",
        "domain": "cloudresourcemanager.googleapis.com",
        "metadata": {"permission": permission, "resource": f"projects/{project}"},
    }
    words = f"Permission '{permission}' denied on resource '{resource}' (or it may not exist)."
    return GoogleError(403, "PERMISSION_DENIED", words, [info])


def render_google_error(_request: Request[Any, Any, Any], error: GoogleError) -> Response[dict[str, Any]]:
    """The error as Google writes it."""
    return Response({"error": error.body}, status_code=error.code, headers=error.headers)


def render_front_end_error(_request: Request[Any, Any, Any], error: FrontEndError) -> Response[str]:
    """The front end's page."""
    page = f"<!DOCTYPE html><html lang=en><title>Error {error.code}</title><p>{error.code}. This is an error."
    return Response(page, status_code=error.code, headers=error.headers, media_type="text/html")


def render_refusal(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    """What the web framework refuses (a body too large), said Google's way."""
    words = HTTPStatus(error.status_code).phrase
    return render_google_error(request, GoogleError(error.status_code, "INVALID_ARGUMENT", words))


def _bad_request(violations: Sequence[Violation]) -> dict[str, Any]:
    return {"@type": _BAD_REQUEST, "fieldViolations": [msgspec.to_builtins(each) for each in violations]}
