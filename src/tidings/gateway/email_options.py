"""What a request adds to one email: checked, and split into what the broker carries and what is kept here."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from tidings.contracts.codes import Channel
from tidings.contracts.messages import Attachment, EmailParts
from tidings.contracts.notifications import EmailOptions, NewAttachment, NewNotification
from tidings.gateway.attachment_store import KeptFile
from tidings.gateway.channels.naming import channels_of
from tidings.gateway.content_types import content_type_of
from tidings.kit.addresses import normal_email
from tidings.kit.email_headers import (
    check_address,
    check_content_id,
    check_content_type,
    check_filename,
    check_headers,
)
from tidings.kit.errors import ContentTooLarge, FieldFault, Unprocessable
from tidings.kit.ids import new_id

MAX_CONTENT_BYTES = 10 * 1024 * 1024
"""What all files inside one request may have together, decoded."""

Check = tuple[str, Callable[[str], object], str]


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What goes with one email: `parts` in the broker's message, and the files that they refer to."""

    parts: EmailParts | None = None
    files: tuple[KeptFile, ...] = ()


def enclosed(request: NewNotification) -> Enclosed:
    """What goes with the email that `request` asks for.

    Raises:
        Unprocessable: names each field that no email can have.
        ContentTooLarge: `attachments_too_large`.
    """
    if request.email is None:
        return Enclosed()
    channels = [channel for channel, _ in channels_of(request)]
    if Channel.EMAIL not in channels:
        named = " and ".join(channels)
        raise _unfit([_fault("", f"These are options of an email, and the channel is {named}")])
    _refuse_too_large(request.email.attachments)
    faults = list(_faults(request.email))
    if faults:
        raise _unfit(faults)
    return _split(request.email)


def _refuse_too_large(attachments: Iterable[NewAttachment]) -> None:
    size = sum(len(one.content) for one in attachments if one.content is not None)
    if size > MAX_CONTENT_BYTES:
        words = (
            f"The attachments have {size:,} bytes together, and the most is {MAX_CONTENT_BYTES:,} (10 MiB). "
            "Give larger files by `url`"
        )
        raise ContentTooLarge(words, code="attachments_too_large", errors=[_fault(".attachments", words)])


def _faults(options: EmailOptions) -> Iterator[FieldFault]:
    for place, check, value in (*_address_checks(options), *_attachment_checks(options)):
        try:
            check(value)
        except ValueError as error:
            yield _fault(place, str(error))
    for name, words in check_headers(options.headers).items():
        yield _fault(f".headers.{name}", words)
    uses = Counter(one.content_id for one in options.attachments if one.content_id is not None)
    for number, one in enumerate(options.attachments):
        if (one.content is None) == (one.url is None):
            yield _fault(f".attachments[{number}]", "Give `content` or `url`, one of the two")
        if one.content_id is not None and uses[one.content_id] > 1:
            yield _fault(f".attachments[{number}].content_id", "Another attachment has the same content id")


def _address_checks(options: EmailOptions) -> Iterator[Check]:
    if options.reply_to is not None:
        yield ".reply_to", _usable_address, options.reply_to
    for name, addresses in (("cc", options.cc), ("bcc", options.bcc)):
        for number, address in enumerate(addresses):
            yield f".{name}[{number}]", _usable_address, address


def _attachment_checks(options: EmailOptions) -> Iterator[Check]:
    for number, one in enumerate(options.attachments):
        place = f".attachments[{number}]"
        yield f"{place}.filename", check_filename, one.filename
        if one.content_type is not None:
            yield f"{place}.content_type", check_content_type, one.content_type
        if one.content_id is not None:
            yield f"{place}.content_id", check_content_id, one.content_id


def _usable_address(address: str) -> str:
    normal = normal_email(address)
    check_address(normal)
    return normal


def _split(options: EmailOptions) -> Enclosed:
    pairs = [_reference(one) for one in options.attachments]
    parts = EmailParts(
        reply_to=options.reply_to and normal_email(options.reply_to),
        cc=[normal_email(address) for address in options.cc],
        bcc=[normal_email(address) for address in options.bcc],
        headers=options.headers,
        attachments=[reference for reference, _ in pairs],
    )
    return Enclosed(parts, tuple(kept for _, kept in pairs if kept is not None))


def _reference(one: NewAttachment) -> tuple[Attachment, KeptFile | None]:
    """How the broker's message speaks of a file, and the file where it came inside the request."""
    reference = Attachment(
        filename=one.filename,
        content_type=one.content_type or content_type_of(one.filename),
        url=one.url,
        content_id=one.content_id,
    )
    if one.content is None:
        return reference, None
    kept = KeptFile(new_id(), one.filename, reference.content_type, one.content_id, one.content)
    return msgspec.structs.replace(reference, id=kept.id, size=len(kept.content)), kept


def _fault(place: str, message: str) -> FieldFault:
    return FieldFault(field=f"$.email{place}", message=message)


def _unfit(faults: list[FieldFault]) -> Unprocessable:
    named = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
    return Unprocessable(f"The request does not fit: {named}", code="invalid_request", errors=faults)
