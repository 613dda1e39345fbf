"""What goes with an email as its provider's own data, and comes back in webhooks: whose word it is.

Webhooks name the address that something happened to, but not whether it was the person's or a copy's
(cc, bcc). An email with copies therefore carries a tag of the person's address beside the id.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from tidings.email.return_path import ReturnPath

# Letters, digits, `_` and `-` are all that SES and Resend take in the value of a tag.
_WRITTEN = re.compile(r"(?P<id>[0-9a-fA-F-]{36})(?:_(?P<tag>[0-9a-f]{8}))?")


@dataclass(frozen=True, slots=True)
class Reference:
    """The notification that an email was for; `went_to` is there where it had copies."""

    notification_id: UUID
    went_to: Callable[[str], bool] | None = None
    """Whether an address is the person's."""

    @property
    def has_copies(self) -> bool:
        """Whether the email went to others too."""
        return self.went_to is not None

    def is_copy(self, address: str | None) -> bool:
        """Whether something that happened to `address` happened to a copy only."""
        return address is not None and self.went_to is not None and not self.went_to(address)


def write_reference(notification_id: UUID, to: str | None, paths: ReturnPath) -> str:
    """The reference of an email to `to` and to copies; `to` is None where there are no copies."""
    return str(notification_id) if to is None else f"{notification_id}_{paths.tag(to)}"


def read_reference(text: object, paths: ReturnPath) -> Reference | None:
    """What a webhook handed back; None when the email was not ours."""
    found = _WRITTEN.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    try:
        notification_id = UUID(found["id"])
    except ValueError:
        return None
    tag = found["tag"]
    if tag is None:
        return Reference(notification_id)
    return Reference(notification_id, lambda address: paths.tag(address) == tag)
