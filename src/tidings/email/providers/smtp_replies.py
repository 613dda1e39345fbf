"""Whose fault an SMTP reply is (RFC 5321 4.2, RFC 3463, the IANA registry of enhanced status codes)."""

import re
from enum import Enum, auto

from tidings.contracts.codes import ErrorOwner

_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_CREDENTIAL_CODES = frozenset({530, 534, 535, 538})
_PERMANENT = 500
_DEAD_MAILBOX = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1", "7.13", "7.17", "7.18"})
_MAILBOX_FULL = "2.2"
_TOO_MANY_RECIPIENTS = "5.3"
_STORAGE_EXCEEDED = 552  # to RCPT it means too many recipients (RFC 5321, section 4.5.3.1.10)


class Stage(Enum):
    """How far a conversation got. After BODY began, silence no longer means "not delivered"."""

    CONNECT = auto()
    MAIL = auto()
    RECIPIENT = auto()
    BODY = auto()


def owner_of_reply(code: int, text: str, stage: Stage) -> ErrorOwner:
    """Who has to act on a 4yz or 5yz reply.

    The enhanced code decides where there is one. Without one, a 5yz to RCPT speaks of the
    recipient, to DATA of the content, and before that of us.
    """
    if code in _CREDENTIAL_CODES:
        return ErrorOwner.CREDENTIAL
    enhanced = _ENHANCED.search(text)
    subject = f"{int(enhanced[2])}.{int(enhanced[3])}" if enhanced else ""
    if code < _PERMANENT:
        return ErrorOwner.THROTTLE if _is_throttle(code, subject) else ErrorOwner.OUTAGE
    return _owner_of_permanent(code, subject, stage)


def names_dead_mailbox(code: int, text: str) -> bool:
    """Whether a reply says for sure that the mailbox is gone: only an enhanced code does."""
    enhanced = _ENHANCED.search(text)
    return (
        code >= _PERMANENT
        and enhanced is not None
        and f"{int(enhanced[2])}.{int(enhanced[3])}" in _DEAD_MAILBOX
    )


def _is_throttle(code: int, subject: str) -> bool:
    return code in {450, 452} or subject in {_MAILBOX_FULL, _TOO_MANY_RECIPIENTS, "7.28"}


def _owner_of_permanent(code: int, subject: str, stage: Stage) -> ErrorOwner:
    unnamed_552 = code == _STORAGE_EXCEEDED and not subject and stage is Stage.RECIPIENT
    if subject in {_MAILBOX_FULL, _TOO_MANY_RECIPIENTS} or unnamed_552:
        return ErrorOwner.THROTTLE
    if stage in {Stage.CONNECT, Stage.MAIL}:
        # What fails before any recipient is named would fail for all of them: it is about us.
        return ErrorOwner.CREDENTIAL
    if subject in _DEAD_MAILBOX:
        return ErrorOwner.RECIPIENT
    if subject or stage is Stage.BODY:
        return ErrorOwner.CONTENT
    return ErrorOwner.RECIPIENT
