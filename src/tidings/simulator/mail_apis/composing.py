"""The MIME message that a provider makes of a request's fields."""

from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from tidings.kit.ids import now
from tidings.simulator.mail_apis.reading import Mailbox

# Long enough that List-Unsubscribe and Message-ID are not broken into encoded words.
_LINE = 998


@dataclass(frozen=True, slots=True)
class File:
    """An attachment; with a content id it is shown inside the HTML."""

    name: str
    content_type: str
    content: bytes
    content_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """An email in parts."""

    sender: Mailbox
    to: Sequence[Mailbox]
    cc: Sequence[Mailbox] = ()
    bcc: Sequence[Mailbox] = ()
    reply_to: Sequence[Mailbox] = ()
    subject: str
    text: str | None = None
    html: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    files: Sequence[File] = ()

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody it goes to."""
        return tuple(mailbox.address for mailbox in (*self.to, *self.cc, *self.bcc))


def compose(mail: Mail, message_id: str) -> bytes:
    """The message with CRLF lines. A Message-ID or Date among `mail.headers` wins over the provider's.

    Raises:
        ValueError: a header or a name holds a line break, or text that is no Unicode.
    """
    people = (mail.sender, *mail.to, *mail.cc, *mail.reply_to)
    ascii_only = all(person.address.isascii() for person in people)
    message = EmailMessage((SMTP if ascii_only else SMTPUTF8).clone(max_line_length=_LINE))
    _head(message, mail, message_id)
    inline = [file for file in mail.files if file.content_id is not None and mail.html is not None]
    _body(message, mail, inline)
    for file in mail.files:
        if file not in inline:
            maintype, subtype, params = _media_type(file)
            message.add_attachment(
                file.content, maintype, subtype, filename=file.name, params=params, cid=_cid(file)
            )
    return message.as_bytes()


def _head(message: EmailMessage, mail: Mail, message_id: str) -> None:
    given = {name.lower() for name, _ in mail.headers}
    message["From"] = _address(mail.sender)
    for name, mailboxes in (("To", mail.to), ("Cc", mail.cc), ("Reply-To", mail.reply_to)):
        if mailboxes:
            message[name] = [_address(mailbox) for mailbox in mailboxes]
    message["Subject"] = mail.subject
    if "message-id" not in given:
        message["Message-ID"] = message_id
    if "date" not in given:
        message["Date"] = format_datetime(now())
    for name, value in mail.headers:
        message[name] = value


def _body(message: EmailMessage, mail: Mail, inline: Sequence[File]) -> None:
    if mail.text is not None or mail.html is None:
        message.set_content(mail.text or "")
        if mail.html is not None:
            message.add_alternative(mail.html, subtype="html")
    else:
        message.set_content(mail.html, subtype="html")
    html = message.get_body(("html",))
    for file in inline:
        if html is not None:
            maintype, subtype, params = _media_type(file)
            html.add_related(
                file.content,
                maintype,
                subtype,
                filename=file.name,
                params=params,
                cid=_cid(file),
                disposition="inline",
            )


def _address(mailbox: Mailbox) -> Address:
    # Not through `addr_spec`, which refuses a local part that is not ASCII.
    local, _, domain = mailbox.address.rpartition("@")
    return Address(mailbox.name, local.strip('"'), domain)


def _media_type(file: File) -> tuple[str, str, dict[str, str]]:
    header = EmailMessage()
    header["Content-Type"] = file.content_type or "application/octet-stream"
    params = {name: value for name, value in header["Content-Type"].params.items() if name != "name"}
    return header.get_content_maintype(), header.get_content_subtype(), params


def _cid(file: File) -> str | None:
    return None if file.content_id is None else f"<{file.content_id.strip('<>')}>"
