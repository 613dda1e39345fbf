"""Links that let a recipient act without a login: what they say, and where they lead at the gateway."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tidings.kit.ids import now
from tidings.kit.signed_links import InvalidLink, read, sign

UNSUBSCRIBE = "unsubscribe"
PREFERENCES = "preferences"
ENGAGEMENT = "engagement"

ENGAGEMENT_LIFETIME = timedelta(days=30)
"""A push service keeps a message for 28 days at most; whoever clicks later tells nothing of use."""

# One letter each, and ids of 22 characters: even with a category of 100 a token is shorter than 200.
_USER, _CATEGORY = "u", "c"
_NOTIFICATION, _DEVICE, _EXPIRES = "n", "d", "x"


class ExpiredLink(InvalidLink):
    """A token of ours whose time has passed."""


@dataclass(frozen=True, slots=True)
class RecipientLink:
    """Whose link it is, and for unsubscribing from what; without a category, from all email."""

    user_id: UUID
    category: str | None = None


@dataclass(frozen=True, slots=True)
class EngagementLink:
    """Which push on which device a browser speaks of."""

    notification_id: UUID
    device_id: UUID


def unsubscribe_path(secret: str, user_id: UUID, category: str | None) -> str:
    """The path, below the gateway's public URL, that ends emails of a category, or without one all email.

    GET shows a page and changes nothing; POST acts at once (RFC 8058), so the URL fits `List-Unsubscribe`.
    """
    claims = {_USER: _short(user_id)}
    if category is not None:
        claims[_CATEGORY] = category
    return f"/unsubscribe/{sign(secret, UNSUBSCRIBE, claims)}"


def preferences_path(secret: str, user_id: UUID) -> str:
    """The path, below the gateway's public URL, of a person's preference centre."""
    return f"/preferences/{sign(secret, PREFERENCES, {_USER: _short(user_id)})}"


def read_link(secrets: Sequence[str], purpose: str, token: str) -> RecipientLink:
    """What the last part of such a path says. `secrets`: the present one, and those that were before.

    Raises:
        InvalidLink: it was changed, or is for another purpose.
    """
    claims = read(secrets, purpose, token)
    try:
        return RecipientLink(_long(claims[_USER]), claims.get(_CATEGORY))
    except (KeyError, ValueError) as error:
        raise InvalidLink("The token is ours and names no user") from error


def engagement_path(secret: str, notification_id: UUID, device_id: UUID, *, at: datetime) -> str:
    """The path, below the gateway's public URL, where a browser tells that a push was displayed or clicked.

    It works for 30 days from `at`. `device_id` is that of the registered device, not its push token.
    """
    expires = int((at + ENGAGEMENT_LIFETIME).timestamp())
    claims = {_NOTIFICATION: _short(notification_id), _DEVICE: _short(device_id), _EXPIRES: str(expires)}
    return f"/e/{sign(secret, ENGAGEMENT, claims)}"


def read_engagement(secrets: Sequence[str], token: str) -> EngagementLink:
    """What the last part of such a path says; `secrets` as for `read_link`.

    Raises:
        ExpiredLink: it is older than 30 days.
        InvalidLink: it was changed, or is for another purpose.
    """
    claims = read(secrets, ENGAGEMENT, token)
    try:
        link = EngagementLink(_long(claims[_NOTIFICATION]), _long(claims[_DEVICE]))
        expires = int(claims[_EXPIRES])
    except (KeyError, ValueError) as error:
        raise InvalidLink("The token is ours and names no push") from error
    if now().timestamp() >= expires:
        raise ExpiredLink(f"The token was good for {ENGAGEMENT_LIFETIME.days} days, and they have passed")
    return link


def _short(identifier: UUID) -> str:
    return urlsafe_b64encode(identifier.bytes).rstrip(b"=").decode("ascii")


def _long(text: str) -> UUID:
    return UUID(bytes=urlsafe_b64decode(f"{text}=="))
