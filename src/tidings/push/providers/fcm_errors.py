"""Whose fault an FCM HTTP v1 error is.

Source: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode and the guide to scaling FCM.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from tidings.contracts.codes import ErrorOwner
from tidings.delivery.outcome import Refused

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
QUOTA_SECONDS = 60.0
MAX_WAIT_SECONDS = 24 * 3600.0
BAD_TOKEN_WORDS = "not a valid FCM registration token"  # noqa: S105 - Google's words

_BY_CODE = {
    "UNREGISTERED": ErrorOwner.RECIPIENT,
    "SENDER_ID_MISMATCH": ErrorOwner.CREDENTIAL,
    "THIRD_PARTY_AUTH_ERROR": ErrorOwner.CREDENTIAL,
    "APNS_AUTH_ERROR": ErrorOwner.CREDENTIAL,
    "QUOTA_EXCEEDED": ErrorOwner.THROTTLE,
    "INTERNAL": ErrorOwner.OUTAGE,
    "UNAVAILABLE": ErrorOwner.OUTAGE,
}


class _Detail(msgspec.Struct):
    type: str = msgspec.field(name="@type", default="")
    error_code: str = msgspec.field(name="errorCode", default="")


class _Error(msgspec.Struct):
    message: str = ""
    status: str = ""
    details: list[_Detail] = []


class _Body(msgspec.Struct):
    error: _Error = msgspec.field(default_factory=_Error)


def refusal(provider: str, status: int, headers: Mapping[str, str], body: bytes) -> Refused:
    """An error answer, classified. What cannot be read is classified by its HTTP status."""
    try:
        error = msgspec.json.decode(body, type=_Body).error
    except msgspec.DecodeError:
        error = _Error(message=body[:200].decode(errors="replace"))
    code = next((detail.error_code for detail in error.details if detail.type == FCM_ERROR), "")
    owner = _owner(status, code, error.message)
    wait = _retry_after(headers)
    if wait is None and owner is ErrorOwner.THROTTLE:
        wait = QUOTA_SECONDS
    words = f"HTTP {status} {code or error.status}: {error.message}"
    return Refused(provider, owner, words, retry_after=wait)


def _owner(status: int, code: str, message: str) -> ErrorOwner:
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status == HTTPStatus.BAD_REQUEST:
        return ErrorOwner.RECIPIENT if BAD_TOKEN_WORDS in message else ErrorOwner.CONTENT
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return ErrorOwner.CREDENTIAL
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ErrorOwner.THROTTLE
    # An unknown project answers 404 without UNREGISTERED: the token is not to blame.
    if status == HTTPStatus.NOT_FOUND:
        return ErrorOwner.CREDENTIAL
    return ErrorOwner.OUTAGE if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ErrorOwner.CONTENT


def _retry_after(headers: Mapping[str, Any]) -> float | None:
    given = str(headers.get("Retry-After", ""))
    # Zero says no more than that a retry makes sense: our own schedule decides when.
    return min(float(given), MAX_WAIT_SECONDS) or None if given.isascii() and given.isdigit() else None
