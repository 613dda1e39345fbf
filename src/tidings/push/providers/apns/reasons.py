"""Whose fault Apple's reasons are.

Source: https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
"""

from datetime import UTC, datetime

import msgspec

from tidings.contracts.codes import ErrorOwner
from tidings.push.providers.calling import Reply, owner_of

EXPIRED_TOKEN = "ExpiredProviderToken"  # noqa: S105 - Apple's word
UNKNOWN_TOKEN = frozenset({"BadDeviceToken", "DeviceTokenNotForTopic"})
"""What every token gets when the environment or the topic in the settings is not the app's."""
UNUSED_TOKEN = frozenset({"Unregistered", "ExpiredToken"})
ONE_DEVICE = frozenset({"TooManyRequests"})

_OWNERS = {
    "BadTopic": ErrorOwner.CREDENTIAL,
    "MissingTopic": ErrorOwner.CREDENTIAL,
    "TopicDisallowed": ErrorOwner.CREDENTIAL,
    "BadPath": ErrorOwner.CREDENTIAL,
    "MethodNotAllowed": ErrorOwner.CREDENTIAL,
    "IdleTimeout": ErrorOwner.OUTAGE,
}


class Said(msgspec.Struct, frozen=True):
    """The body of an error. `timestamp` is when Apple last knew the token, in milliseconds."""

    reason: str = ""
    timestamp: int | None = None

    @property
    def last_known(self) -> datetime | None:
        """The moment since which the token is not in use."""
        if self.timestamp is None:
            return None
        try:
            return datetime.fromtimestamp(self.timestamp / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return None


def read(reply: Reply) -> Said:
    """What Apple said; no reason when it cannot be read."""
    try:
        return msgspec.json.decode(reply.body, type=Said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Said()


def owner(reply: Reply, reason: str) -> ErrorOwner:
    """Who has to act, where the device is not to blame."""
    return _OWNERS.get(reason) or owner_of(reply.status)
