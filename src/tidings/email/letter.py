"""What an email consists of before it becomes MIME or a provider's JSON."""

from dataclasses import dataclass
from typing import Final

from msgspec import structs

from tidings.contracts.messages import EmailParts
from tidings.contracts.templates import RenderedEmail
from tidings.delivery.channel import Parcel, Provider


@dataclass(frozen=True, slots=True)
class File:
    """An attachment at hand. With a `content_id` it is shown inside the html (RFC 2392)."""

    filename: str
    content_type: str
    content: bytes
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A rendered email with its files. `left_out` are copies that are asked for and must not be sent."""

    email: RenderedEmail
    files: tuple[File, ...] = ()
    left_out: frozenset[str] = frozenset()


EmailParcel = Parcel[Letter, str]
EmailProvider = Provider[Letter, str]

_NOTHING_ELSE: Final = EmailParts()


def parts_of(parcel: EmailParcel) -> EmailParts:
    """What the email has beside its words, without the copies that are left out."""
    parts, left_out = parcel.message.email or _NOTHING_ELSE, parcel.content.left_out
    if not left_out:
        return parts
    cc, bcc = ([one for one in asked if one not in left_out] for asked in (parts.cc, parts.bcc))
    return structs.replace(parts, cc=cc, bcc=bcc)
