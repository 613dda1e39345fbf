"""What a caller adds to an email: reply-to, copies, headers, and the link to unsubscribe."""

from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.letters import letter_parcel, parsed, written
from tidings.contracts.messages import EmailParts
from tidings.email.mime import MimeBuilder, addresses, ascii_address
from tidings.kit.email_headers import CONTROLS, allowed_header, check_address, check_headers

URL = "https://notify.example.com/u/" + "t" * 200

WRITTEN_BY_US = (
    *("From", "sender", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version"),
    *("Content-Type", "Content-Disposition", "List-Unsubscribe", "List-Unsubscribe-Post", "X-Tidings-Id"),
)
WRITTEN_BY_SERVERS = ("Return-Path", "Received", "DKIM-Signature", "ARC-Seal", "Resent-To", "X-Spam-Status")
ACTED_ON = (
    *("X-SMTPAPI", "X-SG-EID", "X-SES-CONFIGURATION-SET", "X-PM-Tag", "X-Mailgun-Tag", "X-MC-BccAddress"),
    "Disposition-Notification-To",
)
NO_NAMES = ("", "X-", "X-A:B", "X-A\r\nBcc", "X A", "X-Ä", "X-\u212a", "X-a\n", "References\n")

values = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp", "Zs"]) | st.just(" "),
    min_size=1,
    max_size=500,
).filter(str.strip)


def test_copies_and_replies() -> None:
    """Reply-To and Cc are written; Bcc is not, and its addresses are in the envelope only."""
    parts = EmailParts(
        reply_to="help@bücher.example",
        cc=[f"copy{number}@example.com" for number in range(30)],
        bcc=["secret@example.com", "ada@example.com"],
    )
    parcel = letter_parcel(parts=parts)
    raw = written(parcel)
    email = parsed(raw)
    assert email["Reply-To"] == "help@xn--bcher-kva.example"
    assert [copied.addr_spec for copied in email["Cc"].addresses] == parts.cc
    assert b"secret" not in raw
    assert addresses(parcel) == ["ada@example.com", *parts.cc, "secret@example.com"]


def test_one_click_unsubscribing() -> None:
    """With a link both headers of RFC 8058 are there, without one neither is."""
    email = parsed(written(letter_parcel(unsubscribe_url=URL)))
    assert email["List-Unsubscribe"] == f"<{URL}>"
    assert email["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    without = parsed(written(letter_parcel()))
    assert (without["List-Unsubscribe"], without["List-Unsubscribe-Post"]) == (None, None)


@pytest.mark.parametrize("url", [URL + ">\r\nBcc: e@example.com", "https://x/a b", "https://bücher.example"])
def test_a_link_that_is_none(url: str) -> None:
    """A link with what no URL holds is refused, not written."""
    with pytest.raises(ValueError, match="unsubscribe"):
        written(letter_parcel(unsubscribe_url=url))


def test_the_date_is_when_it_was_accepted() -> None:
    """Date is the same on every attempt: when the notification was accepted, to the second."""
    parcel = letter_parcel()
    accepted = parcel.message.accepted_at.replace(microsecond=0)
    assert parsedate_to_datetime(parsed(written(parcel))["Date"]) == accepted


def test_mail_of_machines_says_so() -> None:
    """Emails are marked as generated (RFC 3834), so that out-of-office replies stay away."""
    assert parsed(written(letter_parcel()))["Auto-Submitted"] == "auto-generated"
    parts = EmailParts(headers={"auto-submitted": "auto-notified"})
    assert parsed(written(letter_parcel(parts=parts))).get_all("Auto-Submitted") == ["auto-notified"]


@given(value=values)
def test_custom_headers_come_back(value: str) -> None:
    """A header of the caller's is read back as it was, in any script, but for runs of white space."""
    raw = written(letter_parcel(parts=EmailParts(headers={"X-Order": value})))
    assert str(parsed(raw)["X-Order"]).split() == value.split()
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998


def test_headers_for_programs_stay_as_they_are() -> None:
    """Long ids are folded at spaces and never encoded, so that threads stay together."""
    references = " ".join(f"<{'m' * 60}{number}@example.com>" for number in range(10))
    raw = written(letter_parcel(parts=EmailParts(headers={"References": references})))
    assert " ".join(str(parsed(raw)["References"]).split()) == references
    assert b"=?utf-8?" not in raw


@pytest.mark.parametrize(
    "name", ["X-Order-Id", "x-a", "References", "in-reply-to", "List-ID", "Precedence", "Feedback-ID"]
)
def test_headers_that_callers_may_set(name: str) -> None:
    """Headers of the caller's own, and those that thread, label and prioritise an email, are allowed."""
    assert allowed_header(name)
    assert check_headers({name: "value"}) == {}


@pytest.mark.parametrize("name", [*WRITTEN_BY_US, *WRITTEN_BY_SERVERS, *ACTED_ON, *NO_NAMES], ids=repr)
def test_headers_that_callers_may_not_set(name: str) -> None:
    """What we write, what servers write, and what makes a relay act is refused, here and at the builder."""
    assert not allowed_header(name)
    assert list(check_headers({name: "value"})) == [name]
    with pytest.raises(ValueError, match="cannot be set"):
        written(letter_parcel(parts=EmailParts(headers={name: "value"})))


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"X-A": "x\r\nBcc: eve@example.com"}, "one line"),
        ({"X-A": "x\nBcc: e@e"}, "one line"),
        ({"X-A": "x\u2028y"}, "one line"),
        ({"X-A": "x\x00"}, "one line"),
        ({"X-A": " "}, "1 to 2000"),
        ({"X-A": "x " * 1_001}, "1 to 2000"),
        ({"X-A": "x" * 901}, "900"),
        ({"References": "ä"}, "ASCII"),
        ({"X-A": "x", "x-a": "y"}, "twice"),
        ({f"X-{number}": "x" for number in range(51)}, "50"),
    ],
)
def test_values_that_no_header_can_have(headers: dict[str, str], words: str) -> None:
    """What is wrong with a header is said before the notification is accepted."""
    faults = check_headers(headers)
    assert len(faults) == 1
    assert words in next(iter(faults.values()))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ada@example.com", "ada@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("ädä@bücher.example", "ädä@xn--bcher-kva.example"),
        ('"a, b"@example.com', '"a, b"@example.com'),
        ("ada@[192.0.2.1]", "ada@[192.0.2.1]"),
        ("ada@localhost", "ada@localhost"),
    ],
)
def test_a_domain_is_written_in_ascii(address: str, expected: str) -> None:
    """An internationalised domain is in its ASCII form (RFC 5891); the local part stays as it is."""
    assert ascii_address(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "a b@example.com",
        "ada@exam ple.com",
        "ada@.com",
        "a@b@c.com",
        "a@x, eve@example.com",
        "ada@example.com>",
        "<a@example.com>",
        '"a"b"@example.com',
        "ada\r\n@example.com",
        "ada@example.com\n",
        "ada@example.com\r\nBcc: e@e.com",
        '"a\r\nb"@example.com',
        "ada\u2028@example.com",
        "ada@ex\u00adample\u2028.com",
        "ada@" + "x" * 250 + ".com",
        "ä" * 130 + "@example.com",
    ],
    ids=repr,
)
def test_what_is_no_address(address: str) -> None:
    """What could end an address or a header is refused wherever an address stands, not written."""
    with pytest.raises(UnicodeError):
        check_address(address)
    with pytest.raises(UnicodeError):
        written(letter_parcel(to=address))
    with pytest.raises(UnicodeError):
        written(letter_parcel(parts=EmailParts(cc=[address])))
    with pytest.raises(UnicodeError):
        addresses(letter_parcel(parts=EmailParts(bcc=[address])))


@pytest.mark.parametrize("sender", ["", "Example", "Example <hello>", "hello@mail..example.com"])
def test_a_sender_without_an_address(sender: str) -> None:
    """A sender that no email can come from is refused at the start."""
    with pytest.raises(UnicodeError):
        MimeBuilder(sender)


@given(address=st.from_regex(rf"[a-z]{{0,3}}[{CONTROLS}]{{1,3}}[a-z]{{0,3}}@example\.com"))
def test_no_control_character_is_in_an_address(address: str) -> None:
    """Addresses with any control character are refused."""
    with pytest.raises(UnicodeError):
        ascii_address(address)
