"""Whose fault an SMTP reply is: rows of RFC 5321, RFC 3463 and the IANA registry, as servers say them."""

import pytest

from tidings.contracts.codes import ErrorOwner
from tidings.email.providers.smtp_replies import (
    Stage,
    owner_of_reply,
    speaks_of_one_mailbox,
    wait_asked_for,
)

RECIPIENT, CONTENT, CREDENTIAL = ErrorOwner.RECIPIENT, ErrorOwner.CONTENT, ErrorOwner.CREDENTIAL
THROTTLE, OUTAGE = ErrorOwner.THROTTLE, ErrorOwner.OUTAGE


@pytest.mark.parametrize(
    ("code", "text", "owner"),
    [
        # No such mailbox or host, bad syntax, null MX, moved, disabled.
        (550, "5.1.1 The email account that you tried to reach does not exist", RECIPIENT),
        (550, "5.1.2 Bad destination host", RECIPIENT),
        (553, "5.1.3 The recipient address is not a valid RFC 5321 address", RECIPIENT),
        (556, "5.1.10 Recipient address has null MX", RECIPIENT),
        (551, "5.1.6 Mailbox has moved", RECIPIENT),
        (550, "5.2.1 The email account is disabled", RECIPIENT),
        (550, "5.7.13 User account is disabled", RECIPIENT),
        (550, "5.7.17 Mailbox owner has changed", RECIPIENT),
        (550, "5.7.18 Domain owner has changed", RECIPIENT),
        (550, "No such user here", RECIPIENT),
        (550, "<ada@example.com>: unknown, see 192.168.1.1", RECIPIENT),
        # Full, or too many at once: later.
        (552, "5.2.2 The recipient's inbox is out of storage space", THROTTLE),
        (452, "4.2.2 The email account is over quota", THROTTLE),
        (450, "4.2.1 The user is receiving mail at a rate that prevents delivery", THROTTLE),
        (452, "4.5.3 Too many recipients", THROTTLE),
        (552, "5.5.3 Too many recipients", THROTTLE),
        (552, "Too many recipients", THROTTLE),
        (421, "4.7.28 Our system has detected an unusual rate of mail", THROTTLE),
        (550, "5.4.5 Daily user sending limit exceeded", THROTTLE),
        (454, "Throttling failure: Maximum sending rate exceeded.", THROTTLE),
        # Theirs, for now.
        (421, "4.3.2 Service shutting down", OUTAGE),
        (451, "4.3.0 Local error in processing", OUTAGE),
        (451, "4.7.1 Greylisted, try again later", OUTAGE),
        (450, "4.7.1 Greylisted", THROTTLE),
        (454, "4.7.0 Temporary authentication failure", OUTAGE),
        (451, "Try again", OUTAGE),
        # Our message, our reputation or our mistake: the recipient is not to blame.
        (550, "5.7.1 Message rejected as spam", CONTENT),
        (550, "5.7.26 Unauthenticated email is not accepted", CONTENT),
        (550, "5.7.515 Access denied, sending domain does not meet the required level", CONTENT),
        (554, "5.6.0 Malformed content", CONTENT),
        (552, "5.3.4 Message too big for system", CONTENT),
        (550, "5.4.7 Delivery expired", CONTENT),
        (501, "5.5.4 Invalid arguments", CONTENT),
        # Our login.
        (535, "5.7.8 Username and Password not accepted", CREDENTIAL),
        (530, "5.7.0 Authentication required", CREDENTIAL),
        (534, "5.7.9 Application-specific password required", CREDENTIAL),
        (538, "5.7.11 Encryption required", CREDENTIAL),
    ],
)
def test_a_reply_to_the_recipient(code: int, text: str, owner: ErrorOwner) -> None:
    """At RCPT the enhanced code decides; without one a 5yz speaks of the recipient."""
    assert owner_of_reply(code, text, Stage.RECIPIENT) is owner


@pytest.mark.parametrize(
    ("code", "text", "owner"),
    [
        (550, "5.1.1 No such user", RECIPIENT),
        (554, "Transaction failed", CONTENT),
        (552, "5.3.4 Message size exceeds fixed limit", CONTENT),
        (552, "Message exceeds storage allocation", CONTENT),
        (550, "5.7.1 Spam", CONTENT),
        (550, "5.2.2 Over quota", THROTTLE),
        (451, "4.3.0 Error", OUTAGE),
    ],
)
def test_a_reply_to_the_body(code: int, text: str, owner: ErrorOwner) -> None:
    """After DATA a 5yz without an enhanced code speaks of the content."""
    assert owner_of_reply(code, text, Stage.BODY) is owner


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.LOGIN, Stage.MAIL])
@pytest.mark.parametrize(
    ("code", "text", "owner"),
    [
        (554, "5.7.1 Your host is blocked", CREDENTIAL),
        (550, "5.7.13 Account disabled", CREDENTIAL),
        (550, "5.1.8 Sender address rejected", CREDENTIAL),
        (553, "Sender not allowed", CREDENTIAL),
        (421, "4.3.2 Too busy", OUTAGE),
        (451, "4.7.1 Try later", OUTAGE),
    ],
)
def test_a_reply_before_any_recipient(stage: Stage, code: int, text: str, owner: ErrorOwner) -> None:
    """What is refused before a recipient is named is never held against one."""
    assert owner_of_reply(code, text, stage) is owner


@pytest.mark.parametrize(
    "text", ["5.3.4 Message size exceeds fixed limit", "Message size exceeds fixed limit"]
)
def test_a_declared_size_refused(text: str) -> None:
    """552 to MAIL speaks of the size that was declared there (RFC 1870)."""
    assert owner_of_reply(552, text, Stage.MAIL) is CONTENT


@pytest.mark.parametrize(
    ("code", "text", "one"),
    [
        (450, "4.2.1 The user is receiving mail at a rate that prevents delivery", True),
        (452, "4.2.2 The email account is over quota", True),
        (552, "5.2.2 The recipient's inbox is out of storage space", True),
        (451, "4.2.0 Mailbox busy", True),
        (450, "4.7.1 Greylisted", True),
        (450, "Mailbox busy", True),
        (452, "4.3.1 Insufficient system storage", False),
        (452, "4.4.5 Mail system congestion", False),
        (452, "4.5.3 Too many recipients", False),
        (450, "4.7.28 Unusual rate of mail from your address", False),
        (451, "4.3.2 Try later", False),
        (421, "4.2.1 Closing", False),
        (421, "4.7.28 Unusual rate", False),
    ],
)
def test_a_throttle_of_one_mailbox(code: int, text: str, *, one: bool) -> None:
    """A slow or full mailbox is one at every provider; a busy server is only that provider's."""
    for stage in (Stage.RECIPIENT, Stage.DATA, Stage.BODY):
        assert speaks_of_one_mailbox(code, text, stage) is one
    assert not speaks_of_one_mailbox(code, text, Stage.MAIL)


@pytest.mark.parametrize(
    ("code", "text", "seconds"),
    [
        (450, "4.7.1 Greylisted, try again in 300 seconds", 300),
        (450, "4.7.1 Please try again in 5 minutes.", 300),
        (421, "4.7.0 Too many messages, retry after 120 s", 120),
        (451, "4.7.1 Please wait 2 hours", 7200),
        (450, "try again in 90sec", 90),
        (421, "4.7.0 Try again in 99 hours", 86_400),
        (452, "4.2.2 Mailbox full", 3600),
        (452, "4.2.2 Mailbox full, try again in 10 minutes", 3600),
        (552, "5.2.2 Mailbox full", 3600),
        (450, "4.7.1 Greylisted", None),
        (450, "4.7.1 Try again later, connection 5 of 7", None),
        (550, "5.7.1 Blocked, removed in 24 hours", None),
    ],
)
def test_a_wait_asked_for(code: int, text: str, seconds: float | None) -> None:
    """A server that says for how long is obeyed, up to a day; a full mailbox waits an hour at least."""
    assert wait_asked_for(code, text) == seconds


@pytest.mark.parametrize("stage", Stage)
def test_every_reply_has_an_owner(stage: Stage) -> None:
    """A 4yz is never final, and a 5yz never an outage, whatever the words."""
    for text in ("", "no enhanced code", "version 5.1.1.9 of", "2.1.5 odd", "5.1.1", "9.9.9", "4.999.999"):
        transient = {owner_of_reply(code, text, stage) for code in range(400, 500)}
        permanent = {owner_of_reply(code, text, stage) for code in range(500, 600)}
        assert transient <= {THROTTLE, OUTAGE}
        assert OUTAGE not in permanent
