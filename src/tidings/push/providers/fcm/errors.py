"""Whose fault an FCM HTTP v1 error is.

Source: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode and the guide to scaling FCM.
"""

from http import HTTPStatus

import msgspec

from tidings.contracts.codes import ErrorOwner
from tidings.delivery.outcome import Refused
from tidings.push.providers.calling import Reply, owner_of, retry_after

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
QUOTA_SECONDS = 60.0
BAD_TOKEN_WORDS = "not a valid FCM registration token"  # noqa: S105 - Google's words
OTHER_SENDER = "SENDER_ID_MISMATCH"

_BY_CODE = {
    "UNREGISTERED": ErrorOwner.RECIPIENT,
    OTHER_SENDER: ErrorOwner.CREDENTIAL,
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


def refusal(provider: str, reply: Reply) -> Refused:
    """An error answer, classified. What cannot be read is classified by its HTTP status."""
    try:
        error = msgspec.json.decode(reply.body, type=_Body).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        error = _Error(message=reply.body[:200].decode(errors="replace"))
    code = next((detail.error_code for detail in error.details if detail.type == FCM_ERROR), "")
    owner = _owner(reply.status, code, error.message)
    wait = retry_after(reply.headers)
    if wait is None and owner is ErrorOwner.THROTTLE:
        wait = QUOTA_SECONDS
    return Refused(
        provider,
        owner,
        f"HTTP {reply.status} {code or error.status}: {error.message}",
        retry_after=wait,
        dead=owner is ErrorOwner.RECIPIENT,
        # A token of another project's says nothing about the devices of this one.
        provider_wide=code != OTHER_SENDER,
    )


def _owner(status: int, code: str, message: str) -> ErrorOwner:
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status == HTTPStatus.BAD_REQUEST and BAD_TOKEN_WORDS in message:
        return ErrorOwner.RECIPIENT
    # An unknown project answers 404 without UNREGISTERED: the token is not to blame.
    return owner_of(status)
