"""What an email consists of before it becomes MIME or a provider's JSON."""

from dataclasses import dataclass

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
    """A rendered email with its files."""

    email: RenderedEmail
    files: tuple[File, ...] = ()


EmailParcel = Parcel[Letter, str]
EmailProvider = Provider[Letter, str]
