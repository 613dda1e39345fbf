"""What a failure says about the mailbox: whether it is gone, ailing, or not to blame."""

import re
from dataclasses import dataclass

from tidings.contracts.messages import ReceiptKind
from tidings.email.providers.smtp_replies import names_dead_mailbox

_PERMANENT = 500
_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_ABOUT_THE_MAILBOX = frozenset({"1", "2"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """A kind of receipt, and whether it counts against the address.

    What is about our reputation, the content or the network says nothing about the mailbox: counted,
    one block list would put every address there on the suppression list.
    """

    kind: ReceiptKind
    blames_mailbox: bool


DELIVERED = Verdict(ReceiptKind.DELIVERED, blames_mailbox=True)
DEFERRED = Verdict(ReceiptKind.DEFERRED, blames_mailbox=False)
COMPLAINT = Verdict(ReceiptKind.COMPLAINT, blames_mailbox=True)
DEAD = Verdict(ReceiptKind.HARD_BOUNCE, blames_mailbox=True)
AILING = Verdict(ReceiptKind.SOFT_BOUNCE, blames_mailbox=True)
BLAMELESS = Verdict(ReceiptKind.SOFT_BOUNCE, blames_mailbox=False)


def verdict_of(status: str, unsaid: Verdict) -> Verdict:
    """The verdict of an enhanced status code (RFC 3463) that ended an email; `unsaid` without a clear one.

    Subjects 1 (addressing) and 2 (mailbox) are about the mailbox. 5.0.0 is what a mail server without
    enhanced codes means by "no".
    """
    found = _ENHANCED.search(status)
    if found is None or found[2] == "0":
        return unsaid
    if names_dead_mailbox(_PERMANENT, found[0]) and found[1] == "5":
        return DEAD
    return AILING if found[2] in _ABOUT_THE_MAILBOX else BLAMELESS
