"""How Expo refuses a whole request, and the words for a single push."""

from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException

from tidings.simulator.faults import ExpoFault, ExpoReceiptsFault
from tidings.simulator.mail_apis.exchange import API_KEY, ApiError, json_reply, phrase

PUSH_ERRORS = {
    "dead": ("DeviceNotRegistered", '"{token}" is not a registered push notification recipient'),
    "rate": ("MessageRateExceeded", "Messages are sent too frequently to this device"),
    "mismatch": ("MismatchSenderId", "The FCM server key is of another sender than the device's"),
    "credentials": ("InvalidCredentials", "The push credentials of the app are invalid or missing"),
}
"""What is said of a push to a token whose bracket begins with such a word: in the ticket for
`ExponentPushToken[dead...]`, in the receipt for `ExponentPushToken[later-dead...]`."""


def push_error(inside: str, token: str) -> dict[str, Any] | None:
    """The error that a bracket's content asks for; None where it asks for none."""
    for word, (error, words) in PUSH_ERRORS.items():
        if inside.startswith(word):
            return refused(error, words.format(token=token))
    return None


def refused(error: str, words: str) -> dict[str, Any]:
    """A ticket or a receipt that says no."""
    return {"status": "error", "message": words, "details": {"error": error}}


def check_key(request: Request[Any, Any, Any]) -> None:
    """Without a key all is well, as for a project without enhanced security.

    Raises:
        ApiError: it is another key.
    """
    if request.headers.get("authorization") not in {None, f"Bearer {API_KEY}"}:
        raise expo_error(401, "UNAUTHORIZED", "The bearer token is invalid")


def expo_error(status: int, code: str, words: str, headers: dict[str, str] | None = None) -> ApiError:
    """A refusal of the request."""
    return ApiError(json_reply(status, {"errors": [{"code": code, "message": words}]}, headers))


def fault_error(fault: ExpoFault | ExpoReceiptsFault, status: int) -> ApiError:
    """The refusal that a fault asks for."""
    codes = {400: "VALIDATION_ERROR", 401: "UNAUTHORIZED", 429: "TOO_MANY_REQUESTS"}
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return expo_error(status, codes.get(status, "INTERNAL_SERVER_ERROR"), phrase(status), headers)


def render_refusal(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the web framework refuses, in Expo's words."""
    return expo_error(error.status_code, "VALIDATION_ERROR", error.detail).reply.response()
