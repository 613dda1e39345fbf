"""What SendGrid asks of a request, and its complaints.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tidings.simulator.mail_apis.reading import HEADER_NAME, is_address, read_base64

MAX_PEOPLE = 1000
MAX_CATEGORIES = 10
MAX_CATEGORY = 255
MAX_CUSTOM_BYTES = 10_000
RESERVED = frozenset(
    (
        "x-sg-id",
        "x-sg-eid",
        "received",
        "dkim-signature",
        "content-transfer-encoding",
        "content-type",
        "to",
        "from",
        "subject",
        "reply-to",
        "cc",
        "bcc",
    )
)
_HELP = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html"


class _Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Person(_Shape, frozen=True):
    """An address with a name."""

    email: str = ""
    name: str = ""


class Personalization(_Shape, frozen=True):
    """One email: its recipients, and what it has of its own."""

    to: list[Person] = []
    cc: list[Person] = []
    bcc: list[Person] = []
    sender: Person | None = msgspec.field(default=None, name="from")
    subject: str = ""
    headers: dict[str, str] = {}
    substitutions: dict[str, str] = {}
    dynamic_template_data: dict[str, Any] = {}
    custom_args: dict[str, str] = {}
    send_at: int = 0

    @property
    def people(self) -> list[Person]:
        """Everybody it goes to."""
        return [*self.to, *self.cc, *self.bcc]


class Content(_Shape, frozen=True):
    """One of the bodies."""

    type: str = ""
    value: str = ""


class Attachment(_Shape, frozen=True):
    """A file, in base64."""

    content: str = ""
    filename: str = ""
    type: str = "application/octet-stream"
    disposition: str = "attachment"
    content_id: str | None = None


class SendRequest(_Shape, frozen=True):
    """The body of mail/send."""

    personalizations: list[Personalization] = []
    sender: Person | None = msgspec.field(default=None, name="from")
    reply_to: Person | None = None
    reply_to_list: list[Person] = []
    subject: str = ""
    content: list[Content] = []
    attachments: list[Attachment] = []
    headers: dict[str, str] = {}
    categories: list[str] = []
    custom_args: dict[str, str] = {}
    send_at: int = 0
    batch_id: str = ""
    asm: dict[str, Any] = {}
    ip_pool_name: str = ""
    mail_settings: dict[str, Any] = {}
    tracking_settings: dict[str, Any] = {}

    @property
    def rehearses(self) -> bool:
        """Sandbox mode: the request is checked, and no email sent."""
        return (self.mail_settings.get("sandbox_mode") or {}).get("enable") is True


class Violation(msgspec.Struct, frozen=True):
    """What is wrong with one field."""

    message: str
    field: str | None = None
    help: str | None = None


def violations(asked: SendRequest) -> Iterator[Violation]:
    """Everything that is wrong with a request of the right shape."""
    if asked.sender is None or not asked.sender.email:
        words = "The from object must be provided for every email send."
        yield Violation(words, "from.email", f"{_HELP}#message.from")
    elif not is_address(asked.sender.email):
        yield _invalid_address("from.email", "from")
    if not asked.personalizations:
        words = "The personalizations field is required and must have at least one personalization."
        yield Violation(words, "personalizations", f"{_HELP}#message.personalizations")
    for index, personalization in enumerate(asked.personalizations):
        yield from _violations_of_personalization(f"personalizations.{index}", personalization, asked)
    total = sum(len(each.people) for each in asked.personalizations)
    if total > MAX_PEOPLE:
        words = "There is a limit of 1000 total recipients (to + cc + bcc) per request."
        yield Violation(f"{words} You have provided [{total}] recipients.", "personalizations")
    for index, person in enumerate(asked.reply_to_list):
        if not is_address(person.email):
            yield _invalid_address(f"reply_to_list.{index}.email", "reply_to_list")
    if asked.reply_to is not None and not is_address(asked.reply_to.email):
        yield _invalid_address("reply_to.email", "reply_to")
    yield from _violations_of_content(asked)
    yield from _violations_of_labels(asked)


def _violations_of_personalization(
    path: str, personalization: Personalization, asked: SendRequest
) -> Iterator[Violation]:
    if not personalization.to:
        words = "The to array is required for all personalization objects, and must have at least one email object with a valid email address."  # noqa: E501 - SendGrid's sentence
        yield Violation(words, f"{path}.to", f"{_HELP}#message.personalizations.to")
    seen: set[str] = set()
    for kind in ("to", "cc", "bcc"):
        people: list[Person] = getattr(personalization, kind)
        for index, person in enumerate(people):
            if not is_address(person.email):
                yield _invalid_address(f"{path}.{kind}.{index}.email", "personalizations.to")
            if person.email.casefold() in seen:
                words = (
                    "Each email address in the personalization block should be unique between to, cc, and "
                    f"bcc. We found the first duplicate instance of [{person.email}] in the "
                    f"{path}.{kind} field."
                )
                yield Violation(words, path, f"{_HELP}#message.personalizations.to")
            seen.add(person.email.casefold())
    if not (personalization.subject or asked.subject):
        words = (
            "The subject is required. You can get around this requirement if you use a template with a "
            "subject defined or if every personalization has a subject defined."
        )
        yield Violation(words, "subject", f"{_HELP}#message.subject")
    yield from _violations_of_headers(f"{path}.headers", personalization.headers)


def _violations_of_content(asked: SendRequest) -> Iterator[Violation]:
    if not asked.content:
        words = (
            "Unless a valid template_id is provided, the content parameter is required. There must be at "
            "least one defined content block. We typically suggest both text/plain and text/html blocks are "
            "included, but only one block is required."
        )
        yield Violation(words, "content", f"{_HELP}#message.content")
    for index, block in enumerate(asked.content):
        if not block.value:
            words = "The content value must be a string at least one character in length."
            yield Violation(words, f"content.{index}.value", f"{_HELP}#message.content.value")
    kinds = [block.type for block in asked.content]
    if kinds not in (["text/plain"], ["text/html"], ["text/plain", "text/html"], []):
        words = (
            "If present, text/plain and text/html may only be provided once, and in this order: text/plain, "
            "text/html, any other type."
        )
        yield Violation(words, "content", f"{_HELP}#message.content.type")
    for index, file in enumerate(asked.attachments):
        yield from _violations_of_file(f"attachments.{index}", file)


def _violations_of_file(path: str, file: Attachment) -> Iterator[Violation]:
    try:
        empty = not read_base64(file.content)
    except ValueError:
        words = "The attachment content must be base64 encoded."
        yield Violation(words, f"{path}.content", f"{_HELP}#message.attachments.content")
    else:
        if empty:
            words = "The attachment content is required."
            yield Violation(words, f"{path}.content", f"{_HELP}#message.attachments.content")
    if not file.filename:
        words = "The filename is required, and must be a string of at least one character."
        yield Violation(words, f"{path}.filename", f"{_HELP}#message.attachments.filename")
    if file.disposition not in {"attachment", "inline"}:
        words = "The disposition of an attachment can be one of 'inline' or 'attachment'."
        yield Violation(words, f"{path}.disposition", f"{_HELP}#message.attachments.disposition")


def _violations_of_labels(asked: SendRequest) -> Iterator[Violation]:
    yield from _violations_of_headers("headers", asked.headers)
    for path, own in _custom_args(asked):
        if len(msgspec.json.encode(asked.custom_args | own)) > MAX_CUSTOM_BYTES:
            words = "The overall size of the custom arguments cannot exceed 10000 bytes."
            yield Violation(words, path, f"{_HELP}#message.custom_args")
    if len(asked.categories) > MAX_CATEGORIES or len(set(asked.categories)) < len(asked.categories):
        words = "There may be 10 categories at most, and each only once."
        yield Violation(words, "categories", f"{_HELP}#message.categories")
    for index, category in enumerate(asked.categories):
        if len(category) > MAX_CATEGORY:
            words = "Each category can have 255 characters at most."
            yield Violation(words, f"categories.{index}", f"{_HELP}#message.categories")


def _violations_of_headers(path: str, headers: Mapping[str, str]) -> Iterator[Violation]:
    for name in headers:
        if name.lower() in RESERVED:
            words = f"The header {name} is reserved and cannot be used."
            yield Violation(words, path, f"{_HELP}#message.headers")
        elif not HEADER_NAME.fullmatch(name):
            yield Violation("A header key cannot contain spaces or colons.", path, f"{_HELP}#message.headers")


def _custom_args(asked: SendRequest) -> Iterator[tuple[str, dict[str, str]]]:
    yield "custom_args", {}
    for index, personalization in enumerate(asked.personalizations):
        if personalization.custom_args:
            yield f"personalizations.{index}.custom_args", personalization.custom_args


def _invalid_address(path: str, kind: str) -> Violation:
    return Violation("Does not contain a valid address.", path, f"{_HELP}#message.{kind}")
