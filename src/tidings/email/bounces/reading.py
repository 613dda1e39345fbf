"""What a mail to a return path says: a delivery report (RFC 3464), a complaint (RFC 5965), or nothing of use.

Whoever got an email of ours can write to its return path, so every line may be hostile. What is believed
is the token: which email it was, and to which address it went.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from hashlib import sha256
from typing import Final, TypeAlias

import structlog

from tidings.contracts.messages import Receipt
from tidings.email.receipts.verdict import (
    AILING,
    BLAMELESS,
    COMPLAINT,
    DEFERRED,
    DELIVERED,
    Verdict,
    verdict_of,
)
from tidings.email.receipts.webhook import words
from tidings.email.return_path import Bounced
from tidings.kit.ids import now

BOUNCE_MAILBOX = "bounce_mailbox"
"""The provider that receipts of this mailbox name."""

MAX_PARTS = 10
"""Reports have three, and what they return has some. The standard parser's time grows with each nesting."""
PARSED_BYTES = 128 * 1024
"""How much of a mail is read: what comes last in a report is the email that it returns."""
_MAX_RECIPIENTS = 20
_INTERNATIONAL = re.compile(rb"message/global-(?=delivery-status)", re.IGNORECASE)
_UNITEXT = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_OPENS_PART = (b"multipart/", b"message/")
_COMPLAINTS: Final = frozenset({"abuse", "fraud", "virus", "opt-out", "opt-out-list"})

log = structlog.get_logger(__name__)

Part: TypeAlias = "Message[str, str]"


def read_bounce(mail: bytes, bounced: Bounced) -> Sequence[Receipt]:
    """The receipts in a mail that came to the return path of `bounced`; none where it is no report.

    Never raises, whatever the mail holds.
    """
    mail = mail[:PARSED_BYTES]
    lowered = mail.lower()
    if sum(lowered.count(mark) for mark in _OPENS_PART) > MAX_PARTS:
        return []
    try:
        # The international form (RFC 6533) differs in its name and in UTF-8; the parser knows one name.
        root: Part = BytesParser(policy=compat32).parsebytes(_INTERNATIONAL.sub(rb"message/", mail))
        receipts = [
            _receipt(bounced, *found) for part in _reports(root) for found in _findings(part, bounced)
        ]
    except Exception as error:  # noqa: BLE001 - the standard parser promises not to raise, and does all the same
        log.warning("bounce_unreadable", notification_id=str(bounced.notification_id), error=repr(error))
        return []
    return receipts[:_MAX_RECIPIENTS]


def _reports(root: Part) -> Iterator[Part]:
    """The machine-readable parts: only at the top, since deeper ones belong to the email sent back."""
    parts = root.get_payload() if root.is_multipart() else []
    candidates = [root, *(part for part in parts if isinstance(part, Message))]
    for part in candidates:
        if part.get_content_type() in {"message/delivery-status", "message/feedback-report"}:
            yield part


def _findings(report: Part, bounced: Bounced) -> Iterator[tuple[Verdict, str | None, str]]:
    payload = report.get_payload()
    blocks = [block for block in payload if isinstance(block, Message)] if isinstance(payload, list) else []
    for block in blocks:
        if report.get_content_type() == "message/feedback-report":
            yield from _complaint(block, bounced)
        else:
            yield from _delivery(block, bounced)


def _complaint(block: Part, bounced: Bounced) -> Iterator[tuple[Verdict, str | None, str]]:
    fields = _fields(block)
    kind = fields["feedback-type"][0].casefold()
    if kind not in _COMPLAINTS:
        return
    named = [_address(value) for value in fields["original-rcpt-to"] if value]
    address = next((one for one in named if bounced.fits(one)), None)
    if named and address is None:
        return
    yield COMPLAINT, address, f"complaint: {kind}"


def _delivery(block: Part, bounced: Bounced) -> Iterator[tuple[Verdict, str | None, str]]:
    """One recipient's block; the one about the message as a whole has no Action."""
    fields = _fields(block)
    status, diagnostic = fields["status"][0], fields["diagnostic-code"][0]
    verdict = _verdict(fields["action"][0].casefold(), status, diagnostic)
    if verdict is None:
        return
    original, final = (_address(fields[f"{which}-recipient"][0]) for which in ("original", "final"))
    address = next((one for one in (original, final) if one and bounced.fits(one)), None)
    if original and address is None:
        return  # about another recipient of the same email, such as one in copy
    # Without the original recipient an unknown final one is where the address forwards its mail to.
    yield verdict, address, f"{status} {diagnostic}"


def _verdict(action: str, status: str, diagnostic: str) -> Verdict | None:
    """What an Action means. `relayed` and `expanded` say that no more will be heard."""
    match action:
        case "delivered":
            return DELIVERED
        case "delayed":
            return DEFERRED
        case "failed":
            # 5.0.0 is what a server without enhanced codes means by "no": its mailbox is to blame.
            unsaid = AILING if status.startswith("5") else BLAMELESS
            return verdict_of(status, verdict_of(diagnostic, unsaid))
    return None


def _receipt(bounced: Bounced, verdict: Verdict, address: str | None, detail: str) -> Receipt:
    said = sha256(f"{verdict.kind}\0{address}\0{detail}".encode(errors="replace")).hexdigest()[:32]
    return Receipt(
        event_id=f"{bounced.notification_id}:{said}",
        kind=verdict.kind,
        notification_id=bounced.notification_id,
        at=now(),
        provider=BOUNCE_MAILBOX,
        address=address if verdict.blames_mailbox else None,
        detail=words(detail),
    )


def _fields(block: Part) -> defaultdict[str, list[str]]:
    """The fields by name in lower case, each value on one line; an empty text for what is not there."""
    fields: defaultdict[str, list[str]] = defaultdict(lambda: [""])
    for name, value in block.raw_items():
        text = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        fields.setdefault(name.lower(), []).append(" ".join(text.split()))
    return fields


def _address(field: str) -> str:
    r"""The address of a field such as `rfc822; ada@example.com` or `utf-8; j\x{F6}rg@example.com`."""
    address = field.rpartition(";")[2].strip().strip("<>")
    return _UNITEXT.sub(lambda found: chr(int(found[1], 16)), address)
