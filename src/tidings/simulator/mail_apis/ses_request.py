"""The shape of SendEmail.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

import msgspec


class Text(msgspec.Struct, frozen=True):
    """Words and their character set; the simulator reads them as Unicode either way."""

    data: str = msgspec.field(name="Data")
    charset: str = msgspec.field(name="Charset", default="UTF-8")


class Body(msgspec.Struct, frozen=True, rename="pascal"):
    """The two bodies."""

    text: Text | None = None
    html: Text | None = None


class Header(msgspec.Struct, frozen=True, rename="pascal"):
    """A header, or a tag."""

    name: str
    value: str


class Attachment(msgspec.Struct, frozen=True, rename="pascal"):
    """A file, in base64."""

    file_name: str
    raw_content: str
    content_type: str = "application/octet-stream"
    content_id: str | None = None
    content_disposition: str = "ATTACHMENT"


class Simple(msgspec.Struct, frozen=True, rename="pascal"):
    """An email in parts."""

    subject: Text
    body: Body
    headers: list[Header] = []
    attachments: list[Attachment] = []


class Raw(msgspec.Struct, frozen=True, rename="pascal"):
    """A whole message, in base64."""

    data: str


class Content(msgspec.Struct, frozen=True, rename="pascal"):
    """What to send, in one of the forms."""

    simple: Simple | None = None
    raw: Raw | None = None


class Destination(msgspec.Struct, frozen=True, rename="pascal"):
    """The recipients."""

    to_addresses: list[str] = []
    cc_addresses: list[str] = []
    bcc_addresses: list[str] = []

    @property
    def everybody(self) -> list[str]:
        """All recipients."""
        return [*self.to_addresses, *self.cc_addresses, *self.bcc_addresses]


class SendRequest(msgspec.Struct, frozen=True, rename="pascal"):
    """The body of SendEmail, as far as the simulator reads it."""

    from_email_address: str | None = None
    destination: Destination = Destination()
    reply_to_addresses: list[str] = []
    content: Content | None = None
    email_tags: list[Header] = []
    configuration_set_name: str | None = None
