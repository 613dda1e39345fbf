"""A rendered email as bytes (RFC 5322, MIME)."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from uuid import UUID

from tidings.contracts.http import RenderedEmail
from tidings.contracts.messages import DeliveryMessage


def ascii_address(address: str) -> str:
    """The address with its domain in ASCII (RFC 5891), so that only a local part may need SMTPUTF8."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"


def message_id(notification_id: UUID, sender: str) -> str:
    """The same on every attempt, so that mailboxes which fold equal ids show a repeated email once."""
    return f"<{notification_id}@{ascii_address(parseaddr(sender)[1]).rpartition('@')[2]}>"


def build_mime(
    message: DeliveryMessage, content: RenderedEmail, *, sender: str, name: str | None, to: str
) -> bytes:
    """The whole email, ready for DATA. Line breaks in names and subjects cannot reach a header."""
    sender_name, sender_address = parseaddr(sender)
    email = EmailMessage(policy=SMTP if to.isascii() else SMTPUTF8)
    email["From"] = Address(sender_name, addr_spec=ascii_address(sender_address))
    email["To"] = Address(" ".join((name or "").split()), addr_spec=to)
    email["Subject"] = " ".join(content.subject.splitlines())
    email["Date"] = format_datetime(message.accepted_at)
    email["Message-ID"] = message_id(message.notification_id, sender)
    if content.text is not None:
        email.set_content(content.text)
        if content.html is not None:
            email.add_alternative(content.html, subtype="html")
    else:
        email.set_content(content.html or "", subtype="html")
    return email.as_bytes()
