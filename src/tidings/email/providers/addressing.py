"""Whom an email goes to and its further headers, as JSON APIs want them: text, not MIME."""

import re
from dataclasses import dataclass
from email.utils import parseaddr

from tidings.email.letter import EmailParcel, parts_of
from tidings.email.mime import message_id
from tidings.email.references import write_reference
from tidings.email.return_path import ReturnPath
from tidings.kit.email_headers import CONTROLS, UnusableAddress, ascii_address, check_header

_CONTROL_RUN = re.compile(f"[{CONTROLS}]+")
_NEEDS_QUOTES = re.compile(r"[()<>\[\]:;@\\,.\"]")


class Unaddressable(ValueError):
    """The person's own address cannot be written as one."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address, with its domain in ASCII, and the name shown with it, which may be empty."""

    name: str
    address: str

    def __str__(self) -> str:
        """`Name <address>` as providers take it in JSON: in any script, quoted where need be."""
        if not self.name:
            return self.address
        if not _NEEDS_QUOTES.search(self.name):
            return f"{self.name} <{self.address}>"
        escaped = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{self.address}>'


@dataclass(frozen=True, slots=True)
class Recipients:
    """Every address once: SendGrid refuses a message that names one twice."""

    to: Mailbox
    cc: list[str]
    bcc: list[str]

    @property
    def addresses(self) -> list[str]:
        """The person's, then the others'."""
        return [self.to.address, *self.cc, *self.bcc]

    @property
    def only_one(self) -> bool:
        """Whether what an answer says of a recipient must mean the person."""
        return not self.cc and not self.bcc


def recipients(parcel: EmailParcel) -> Recipients:
    """Whom the email goes to.

    Raises:
        Unaddressable: the person's address cannot be used.
        UnusableAddress: one of the others cannot.
    """
    try:
        to = Mailbox(_one_line(parcel.contact.name or ""), ascii_address(parcel.target))
    except UnusableAddress as error:
        raise Unaddressable(*error.args) from error
    parts, seen = parts_of(parcel), {to.address.casefold()}
    return Recipients(to, _unseen(parts.cc, seen), _unseen(parts.bcc, seen))


def sender_mailbox(sender: str) -> Mailbox:
    """The sender of the settings, `Name <address>` or `address`.

    Raises:
        UnusableAddress: it is neither.
    """
    name, address = parseaddr(sender)
    return Mailbox(_one_line(name), ascii_address(address))


def subject_of(parcel: EmailParcel) -> str:
    """The subject on one line."""
    return _one_line(parcel.content.email.subject)


def further_headers(parcel: EmailParcel) -> dict[str, str]:
    """The headers asked for, and those for one-click unsubscribing (RFC 8058), as MIME has them too.

    Raises:
        ValueError: a header is not one that callers may set.
    """
    asked = parts_of(parcel).headers
    for name, value in asked.items():
        check_header(name, value)
    headers = dict(asked)
    if not any(name.lower() == "auto-submitted" for name in asked):
        headers["Auto-Submitted"] = "auto-generated"
    if parcel.unsubscribe_url is not None:
        headers["List-Unsubscribe"] = f"<{parcel.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


def reference_of(parcel: EmailParcel, paths: ReturnPath) -> str:
    """What comes back in webhooks, for the custom data of every provider."""
    whom = recipients(parcel)
    to = None if whom.only_one else whom.to.address
    return write_reference(parcel.message.notification_id, to, paths)


def own_message_id(parcel: EmailParcel, sender: str) -> dict[str, str]:
    """The header that stays the same on every attempt, for providers that let it stand."""
    return {"Message-ID": message_id(parcel.message.notification_id, sender)}


def _unseen(addresses: list[str], seen: set[str]) -> list[str]:
    new = []
    for address in map(ascii_address, addresses):
        if address.casefold() not in seen:
            seen.add(address.casefold())
            new.append(address)
    return new


def _one_line(text: str) -> str:
    return _CONTROL_RUN.sub(" ", text).strip()
