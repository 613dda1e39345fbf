"""Links that let a recipient act without a login: what they say, and where they lead at the gateway."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tidings.kit.signed_links import InvalidLink, read, sign

UNSUBSCRIBE = "unsubscribe"
PREFERENCES = "preferences"

# One letter each, and ids of 22 characters: even with a category of 100 a token is shorter than 200.
_USER, _CATEGORY = "u", "c"


@dataclass(frozen=True, slots=True)
class RecipientLink:
    """Whose link it is, and for unsubscribing from what; without a category, from all email."""

    user_id: UUID
    category: str | None = None


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
        return RecipientLink(UUID(bytes=urlsafe_b64decode(f"{claims[_USER]}==")), claims.get(_CATEGORY))
    except (KeyError, ValueError) as error:
        raise InvalidLink("The token is ours and names no user") from error


def _short(user_id: UUID) -> str:
    return urlsafe_b64encode(user_id.bytes).rstrip(b"=").decode("ascii")
