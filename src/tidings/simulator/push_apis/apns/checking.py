"""What APNs asks of a request, and in which words it refuses one.

https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from tidings.kit.ids import now
from tidings.simulator.push_apis.apns.key import KEY_ID, TEAM_ID

MAX_PAYLOAD_BYTES = 4096
MAX_COLLAPSE_BYTES = 64
TOKEN_LIFETIME = timedelta(hours=1)
CLOCK_SKEW = timedelta(minutes=1)
PUSH_TYPES = frozenset(
    {"alert", "background", "controls", "complication", "fileprovider", "liveactivity", "location", "mdm"}
    | {"pushtotalk", "voip", "widgets"}
)

DEVICES = {
    "dead": (410, "Unregistered"),
    "bad0": (400, "BadDeviceToken"),
    "0dd0": (400, "DeviceTokenNotForTopic"),
}
"""What devices get whose token begins so; every other hexadecimal token of 64 digits or more is known."""

REASONS = {
    400: "BadMessageId",
    403: "InvalidProviderToken",
    404: "BadPath",
    405: "MethodNotAllowed",
    410: "Unregistered",
    413: "PayloadTooLarge",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}
"""The reason that a status has most often."""

_PATH = re.compile(r"/3/device/(.*)")
_TOKEN = re.compile(r"([0-9a-fA-F]{2}){32,100}")


class Rejected(Exception):
    """A refusal: HTTP status, Apple's reason, and for 410 the moment since when the token is not in use."""

    def __init__(self, status: int, reason: str | None = None, *, retry_after: int | None = None) -> None:
        self.status = status
        self.reason = reason or REASONS.get(status, "InternalServerError")
        self.retry_after = retry_after
        super().__init__(f"{status} {self.reason}")

    def body(self) -> bytes:
        """The JSON that Apple answers."""
        if self.status != 410:  # noqa: PLR2004 - Gone
            return msgspec.json.encode({"reason": self.reason})
        return msgspec.json.encode({"reason": self.reason, "timestamp": int(now().timestamp() * 1000)})


@dataclass(frozen=True, slots=True)
class Push:
    """A request that is in order."""

    token: str
    apns_id: str | None
    headers: Mapping[str, str]
    payload: dict[str, Any]


def device_of(path: str) -> str:
    """The device token in a request's path.

    Raises:
        Rejected: it is another path.
    """
    found = _PATH.fullmatch(path)
    if found is None:
        raise Rejected(404, "BadPath")
    if not found[1]:
        raise Rejected(400, "MissingDeviceToken")
    return found[1]


def check(headers: Mapping[str, str], body: bytes, key: ec.EllipticCurvePublicKey) -> Push:
    """A request in order.

    Raises:
        Rejected: with Apple's reason.
    """
    if headers.get(":method") != "POST":
        raise Rejected(405, "MethodNotAllowed")
    token = device_of(headers.get(":path", ""))
    _check_provider(headers.get("authorization", ""), key)
    _check_headers(headers)
    payload = _payload(body)
    if not _TOKEN.fullmatch(token):
        raise Rejected(400, "BadDeviceToken")
    for prefix, (status, reason) in DEVICES.items():
        if token.startswith(prefix):
            raise Rejected(status, reason)
    sent = {name: value for name, value in headers.items() if name.startswith("apns-")}
    return Push(token, headers.get("apns-id"), sent, payload)


def _check_provider(authorization: str, key: ec.EllipticCurvePublicKey) -> None:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Rejected(403, "MissingProviderToken")
    try:
        if jwt.get_unverified_header(token).get("kid") != KEY_ID:
            raise Rejected(403, "InvalidProviderToken")
        options: Any = {"require": ["iss", "iat"], "verify_iat": False}
        claims = jwt.decode(token, key, algorithms=["ES256"], issuer=TEAM_ID, options=options)
    except jwt.InvalidTokenError as error:
        raise Rejected(403, "InvalidProviderToken") from error
    age = now().timestamp() - float(claims["iat"])
    if not -CLOCK_SKEW.total_seconds() <= age <= TOKEN_LIFETIME.total_seconds():
        raise Rejected(403, "ExpiredProviderToken")


def _check_headers(headers: Mapping[str, str]) -> None:
    if not headers.get("apns-topic"):
        raise Rejected(400, "MissingTopic")
    push_type = headers.get("apns-push-type", "alert")
    priority = headers.get("apns-priority", "10")
    for fits, reason in (
        (push_type in PUSH_TYPES, "InvalidPushType"),
        (priority in {"10", "5", "1"}, "BadPriority"),
        (push_type != "background" or priority != "10", "BadPriority"),
        (headers.get("apns-expiration", "0").isdecimal(), "BadExpirationDate"),
        (len(headers.get("apns-collapse-id", "").encode()) <= MAX_COLLAPSE_BYTES, "BadCollapseId"),
        (_is_uuid(headers.get("apns-id")), "BadMessageId"),
    ):
        if not fits:
            raise Rejected(400, reason)


def _payload(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_PAYLOAD_BYTES:
        raise Rejected(413, "PayloadTooLarge")
    try:
        payload = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejected(400, "PayloadEmpty") from error
    if not isinstance(payload.get("aps"), dict):
        raise Rejected(400, "PayloadEmpty")
    return payload


def _is_uuid(text: str | None) -> bool:
    try:
        return text is None or str(UUID(text)) == text.lower()
    except ValueError:
        return False
