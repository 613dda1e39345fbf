"""Emails ready to be written, and written emails as the standard parser reads them."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from uuid import UUID

from support.parcels import new_message
from tidings.contracts.codes import Channel
from tidings.contracts.messages import EmailParts
from tidings.contracts.templates import RenderedEmail
from tidings.contracts.users import Contact, Preferences
from tidings.delivery.channel import Parcel
from tidings.email.letter import EmailParcel, File, Letter
from tidings.email.mime import MimeBuilder

SENDER = "Tidings <hello@mail.example.com>"
PLAIN_LETTER = RenderedEmail(subject="Subject", text="Text", html="<p>Html</p>")


def letter_parcel(
    email: RenderedEmail = PLAIN_LETTER,
    *,
    to: str = "ada@example.com",
    name: str | None = "Ada",
    parts: EmailParts | None = None,
    files: tuple[File, ...] = (),
    unsubscribe_url: str | None = None,
) -> EmailParcel:
    """An email for one person."""
    message = new_message(Channel.EMAIL, email=parts)
    contact = Contact(user_id=UUID(int=7), name=name, preferences=Preferences())
    return Parcel(message, contact, to, Letter(email, files), unsubscribe_url)


def written(parcel: EmailParcel, sender: str = SENDER) -> bytes:
    """The email as it goes to a server."""
    return MimeBuilder(sender).build(parcel)


def parsed(raw: bytes) -> EmailMessage:
    """The email as a mail program reads it."""
    return message_from_bytes(raw, policy=default)
