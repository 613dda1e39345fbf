"""Emails as bytes: whatever goes in, the standard parser reads back, and no header is added."""

import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.letters import SENDER, letter_parcel, parsed, written
from tidings.contracts.templates import RenderedEmail
from tidings.email.mime import MimeBuilder, message_id

HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Auto-Submitted"]
CONTENT_HEADERS = {"Content-Type", "Content-Transfer-Encoding"}

anything = st.text(st.characters(codec="utf-8"), max_size=200)
printable = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp", "Zs"]) | st.just(" "), max_size=200
)
local_parts = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,30}(\.[A-Za-z0-9_-]{1,30})?", fullmatch=True)
addresses = local_parts.map(lambda local: f"{local}@example.com")
lines = st.sampled_from(["From here", "-- ", ".", "", "=_", "=3D", "--=_", "x" * 997, "x" * 999, "\tä "])
bodies = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=2_000) | st.lists(lines).map(
    "\n".join
)


def body_of(email: EmailMessage, kind: str) -> str | None:
    part = email.get_body((kind,))
    return None if part is None else str(part.get_content()).replace("\r\n", "\n")


def display_name(raw: bytes) -> str:
    # The newer parser keeps the space between two encoded words of a name, against RFC 2047, section 6.2.
    name, _ = parseaddr(message_from_bytes(raw)["To"])
    return str(make_header(decode_header(name)))


def words(text: str) -> list[str]:
    return text.split()


@given(subject=printable, name=printable, to=addresses)
def test_headers_come_back(subject: str, name: str, to: str) -> None:
    """Subject, name and address are read back as they were, but for runs of white space."""
    raw = written(letter_parcel(RenderedEmail(subject=subject, text="x"), name=name, to=to))
    email = parsed(raw)
    (recipient,) = email["To"].addresses
    assert words(email["Subject"]) == words(subject)
    assert words(display_name(raw)) == words(name)
    assert recipient.addr_spec == to
    assert email["From"] == SENDER


@given(text=bodies, html=bodies)
def test_bodies_come_back(text: str, html: str) -> None:
    """Both bodies are read back as they were, with a line break at the end."""
    email = parsed(written(letter_parcel(RenderedEmail(subject="s", text=text, html=html))))
    assert email.get_content_type() == "multipart/alternative"
    assert (body_of(email, "plain") or "").removesuffix("\n") == text.removesuffix("\n")
    assert (body_of(email, "html") or "").removesuffix("\n") == html.removesuffix("\n")


@given(subject=anything, name=st.none() | anything, text=anything, html=st.none() | anything, to=addresses)
def test_nothing_adds_a_header(subject: str, name: str | None, text: str, html: str | None, to: str) -> None:
    """Whatever is in the values, the email has our headers and no others, and one recipient."""
    content = RenderedEmail(subject=subject, text=text, html=html)
    email = parsed(written(letter_parcel(content, name=name, to=to)))
    assert [header for header in email.keys() if header not in CONTENT_HEADERS] == HEADERS  # noqa: SIM118 - repeats count
    assert [recipient.addr_spec for recipient in email["To"].addresses] == [to]
    assert email.defects == []


@given(subject=anything, name=anything, text=anything | bodies, html=anything)
def test_the_wire_is_kept_clean(subject: str, name: str, text: str, html: str) -> None:
    """Lines are ASCII, end in CRLF, are as short as RFC 5322 wants, and none begins with From and a space."""
    raw = written(letter_parcel(RenderedEmail(subject=subject, text=text, html=html), name=name))
    assert raw.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert not re.search(rb"^From ", raw, re.MULTILINE)


@pytest.mark.parametrize(
    "value",
    [
        "x\r\nBcc: eve@example.com",
        "x\nBcc: eve@example.com\n\nbody",
        "x\rBcc: e@e",
        "x\u2028Bcc: e@e",
        "\r\n\r\nx",
    ],
    ids=repr,
)
def test_line_breaks_stay_out_of_headers(value: str) -> None:
    """A line break in a subject or a name is a space."""
    email = parsed(written(letter_parcel(RenderedEmail(subject=value, text="x"), name=value)))
    assert email["Bcc"] is None
    assert words(email["Subject"]) == words(value)


def test_html_alone_is_no_alternative() -> None:
    """A template with only HTML makes an HTML email, one with only text a text email."""
    html = written(letter_parcel(RenderedEmail(subject="s", html="<p>x</p>")))
    text = written(letter_parcel(RenderedEmail(subject="s", text="x")))
    assert parsed(html).get_content_type() == "text/html"
    assert parsed(text).get_content_type() == "text/plain"


def test_a_long_line_is_folded() -> None:
    """A body that is one line of 100,000 letters comes back whole."""
    content = RenderedEmail(subject="s" * 5_000, text="a" * 100_000, html="b" * 100_000)
    email = parsed(written(letter_parcel(content)))
    assert (body_of(email, "plain") or "").strip() == "a" * 100_000
    assert str(email["Subject"]).replace(" ", "") == "s" * 5_000


def test_a_long_english_subject_stays_readable() -> None:
    """A subject of ASCII words is folded at its spaces, and not encoded."""
    subject = "The quick brown fox jumps over the lazy dog, again and again, until the evening comes"
    raw = written(letter_parcel(RenderedEmail(subject=subject, text="x")))
    assert b"=?utf-8?" not in raw
    assert parsed(raw)["Subject"] == subject
    assert max(len(line) for line in raw.split(b"\r\n")) <= 78


@pytest.mark.parametrize("sender", [SENDER, "hello@mail.example.com", '"A, B" <x@mail.example.com>'])
def test_the_message_id_follows_from_the_notification(sender: str) -> None:
    """Two attempts are the same to the byte; another notification has another Message-ID."""
    parcel = letter_parcel()
    notification_id = parcel.message.notification_id
    builder = MimeBuilder(sender)
    assert builder.build(parcel) == MimeBuilder(sender).build(parcel)
    assert parsed(builder.build(parcel))["Message-ID"] == f"<{notification_id}@mail.example.com>"
    assert message_id(notification_id, sender) == f"<{notification_id}@mail.example.com>"
    assert message_id(uuid4(), sender) != message_id(notification_id, sender)


def test_a_local_part_beyond_ascii() -> None:
    """A local part with other letters is written as UTF-8 (RFC 6532) and read back."""
    content = RenderedEmail(subject="Grüße", text="Grüße")
    raw = written(letter_parcel(content, to="jörg@bücher.example", name="Jörg"))
    email = parsed(raw)
    assert "jörg@xn--bcher-kva.example".encode() in raw
    assert (email["Subject"], body_of(email, "plain")) == ("Grüße", "Grüße\n")
