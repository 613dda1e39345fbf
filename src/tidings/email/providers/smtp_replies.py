"""Whose fault an SMTP reply is (RFC 5321 4.2, RFC 3463, the IANA registry of enhanced status codes)."""

import re
from enum import Enum, auto
from typing import Final

from tidings.contracts.codes import ErrorOwner

CLOSING: Final = 421
"""The server ends the connection, whatever the command was (RFC 5321, section 3.8)."""
FULL_MAILBOX_SECONDS: Final = 3600.0
"""A full mailbox is not emptied in minutes."""

_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_CREDENTIAL_CODES = frozenset({530, 534, 535, 538})
_PERMANENT = 500
_DEAD_MAILBOX = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1", "7.13", "7.17", "7.18"})
_MAILBOX_FULL = "2.2"
_TOO_MANY_RECIPIENTS = "5.3"
# 5.4.5 is Gmail's daily sending limit (https://support.google.com/a/answer/3726730).
_THROTTLE = frozenset({_MAILBOX_FULL, _TOO_MANY_RECIPIENTS, "4.5", "7.28"})
_TOO_LARGE = frozenset({"2.3", "3.4"})
_STORAGE_EXCEEDED = 552  # to RCPT it means too many recipients (RFC 5321, section 4.5.3.1.10)
_TOO_FAST = frozenset({450, 452})
# SES says "454 Throttling failure", https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-smtp.html
_THROTTLED = re.compile(r"\bthrottl", re.IGNORECASE)
_WAIT = re.compile(r"\b(?:in|after|wait)\s+(\d{1,6})\s*(s|sec|m|min|h|hour)(?:ond|ute)?s?\b", re.IGNORECASE)
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}
_LONGEST_WAIT_SECONDS = 86_400.0


class Stage(Enum):
    """How far a conversation got. After BODY began, silence no longer means "not delivered"."""

    CONNECT = auto()
    LOGIN = auto()
    MAIL = auto()
    RECIPIENT = auto()
    DATA = auto()
    BODY = auto()


def owner_of_reply(code: int, text: str, stage: Stage) -> ErrorOwner:
    """Who has to act on a 4yz or 5yz reply.

    The enhanced code decides where there is one. Without one, a 5yz to RCPT speaks of the
    recipient, to DATA of the content, and before that of us.
    """
    if code in _CREDENTIAL_CODES:
        return ErrorOwner.CREDENTIAL
    subject = _subject(text)
    if code < _PERMANENT:
        slow = code in _TOO_FAST or subject in _THROTTLE or _THROTTLED.search(text) is not None
        return ErrorOwner.THROTTLE if slow else ErrorOwner.OUTAGE
    return _owner_of_permanent(code, subject, stage)


def names_dead_mailbox(code: int, text: str) -> bool:
    """Whether a reply says for sure that the mailbox is gone: only an enhanced code does."""
    return code >= _PERMANENT and _subject(text) in _DEAD_MAILBOX


def speaks_of_one_mailbox(code: int, text: str, stage: Stage) -> bool:
    """Whether a throttle is about the recipient's mailbox, so that another provider fares no better."""
    if code == CLOSING or stage not in {Stage.RECIPIENT, Stage.DATA, Stage.BODY}:
        return False
    subject = _subject(text)
    if subject.startswith("2."):
        return True
    wide = subject in _THROTTLE or subject.startswith(("3.", "4."))
    return code in _TOO_FAST and not wide


def wait_asked_for(code: int, text: str) -> float | None:
    """For how many seconds a server asks to be left alone: at most a day; None where it does not say."""
    found = _WAIT.search(text) if code < _PERMANENT else None
    named = min(int(found[1]) * _UNIT_SECONDS[found[2][0].lower()], _LONGEST_WAIT_SECONDS) if found else None
    if _subject(text) == _MAILBOX_FULL:
        return max(FULL_MAILBOX_SECONDS, named or 0.0)
    return named


def _subject(text: str) -> str:
    enhanced = _ENHANCED.search(text)
    return f"{int(enhanced[2])}.{int(enhanced[3])}" if enhanced else ""


def _owner_of_permanent(code: int, subject: str, stage: Stage) -> ErrorOwner:
    if subject in _THROTTLE or (code == _STORAGE_EXCEEDED and not subject and stage is Stage.RECIPIENT):
        return ErrorOwner.THROTTLE
    if subject in _TOO_LARGE or (code == _STORAGE_EXCEEDED and stage is Stage.MAIL):
        return ErrorOwner.CONTENT  # the size is declared at MAIL (RFC 1870, section 6)
    if stage in {Stage.CONNECT, Stage.LOGIN, Stage.MAIL}:
        # What fails before any recipient is named would fail for all of them: it is about us.
        return ErrorOwner.CREDENTIAL
    if subject in _DEAD_MAILBOX:
        return ErrorOwner.RECIPIENT
    if subject or stage in {Stage.DATA, Stage.BODY}:
        return ErrorOwner.CONTENT
    return ErrorOwner.RECIPIENT
