"""Emails as bytes: whatever goes in, the standard parser reads back, and no header is added."""

import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.contracts.codes import Channel
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import RenderedEmail
from tidings.email.mime import ascii_address, build_mime, message_id
from tidings.kit.ids import now

SENDER = "Tidings <hello@mail.example.com>"
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version"]
CONTENT_HEADERS = {"Content-Type", "Content-Transfer-Encoding"}

anything = st.text(st.characters(codec="utf-8"), max_size=200)
printable = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp", "Zs"]) | st.just(" "), max_size=200
)
local_parts = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,30}(\.[A-Za-z0-9_-]{1,30})?", fullmatch=True)
addresses = local_parts.map(lambda local: f"{local}@example.com")
bodies = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=2_000)


def new_message(notification_id: UUID | None = None) -> DeliveryMessage:
    return DeliveryMessage(
        notification_id=notification_id or uuid4(),
        request_id="request",
        channel=Channel.EMAIL,
        user_id="user",
        template_id="welcome",
        accepted_at=now(),
    )


def built(
    content: RenderedEmail, *, name: str | None = "Ada", to: str = "ada@example.com", sender: str = SENDER
) -> bytes:
    return build_mime(new_message(), content, sender=sender, name=name, to=to)


def parsed(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=default)


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
    raw = built(RenderedEmail(subject=subject, text="x"), name=name, to=to)
    email = parsed(raw)
    (recipient,) = email["To"].addresses
    assert words(email["Subject"]) == words(subject)
    assert words(display_name(raw)) == words(name)
    assert recipient.addr_spec == to
    assert email["From"] == SENDER


@given(text=bodies, html=bodies)
def test_bodies_come_back(text: str, html: str) -> None:
    """Both bodies are read back as they were, with a line break at the end."""
    email = parsed(built(RenderedEmail(subject="s", text=text, html=html)))
    assert email.get_content_type() == "multipart/alternative"
    assert (body_of(email, "plain") or "").removesuffix("\n") == text.removesuffix("\n")
    assert (body_of(email, "html") or "").removesuffix("\n") == html.removesuffix("\n")


@given(subject=anything, name=st.none() | anything, text=anything, html=st.none() | anything, to=addresses)
def test_nothing_adds_a_header(subject: str, name: str | None, text: str, html: str | None, to: str) -> None:
    """Whatever is in the values, the email has our headers and no others, and one recipient."""
    email = parsed(built(RenderedEmail(subject=subject, text=text, html=html), name=name, to=to))
    assert [header for header in email.keys() if header not in CONTENT_HEADERS] == HEADERS  # noqa: SIM118 - repeats count
    assert [recipient.addr_spec for recipient in email["To"].addresses] == [to]
    assert email.defects == []


@given(subject=anything, name=anything, text=anything, html=anything)
def test_the_wire_is_kept_clean(subject: str, name: str, text: str, html: str) -> None:
    """Every line ends in CRLF, is ASCII, and is no longer than the 998 octets of RFC 5322."""
    raw = built(RenderedEmail(subject=subject, text=text, html=html), name=name)
    assert raw.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998


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
    email = parsed(built(RenderedEmail(subject=value, text="x"), name=value))
    assert email["Bcc"] is None
    assert words(email["Subject"]) == words(value)


def test_html_alone_is_no_alternative() -> None:
    """A template with only HTML makes an HTML email, one with only text a text email."""
    assert parsed(built(RenderedEmail(subject="s", html="<p>x</p>"))).get_content_type() == "text/html"
    assert parsed(built(RenderedEmail(subject="s", text="x"))).get_content_type() == "text/plain"


def test_a_long_line_is_folded() -> None:
    """A body that is one line of 100,000 letters comes back whole."""
    email = parsed(built(RenderedEmail(subject="s" * 5_000, text="a" * 100_000, html="b" * 100_000)))
    assert (body_of(email, "plain") or "").strip() == "a" * 100_000
    assert str(email["Subject"]).replace(" ", "") == "s" * 5_000


@pytest.mark.parametrize("sender", [SENDER, "hello@mail.example.com", '"A, B" <x@mail.example.com>'])
def test_the_message_id_follows_from_the_notification(sender: str) -> None:
    """Two attempts have the same Message-ID, two notifications never."""
    one, other = uuid4(), uuid4()
    assert message_id(one, sender) == message_id(one, sender) == f"<{one}@mail.example.com>"
    assert message_id(one, sender) != message_id(other, sender)
    content = RenderedEmail(subject="s", text="x")
    attempts = [
        build_mime(new_message(one), content, sender=sender, name=None, to="a@b.example") for _ in range(2)
    ]
    assert {parsed(raw)["Message-ID"] for raw in attempts} == {f"<{one}@mail.example.com>"}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ada@example.com", "ada@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("ädä@bücher.example", "ädä@xn--bcher-kva.example"),
    ],
)
def test_a_domain_is_written_in_ascii(address: str, expected: str) -> None:
    """An internationalised domain is in its ASCII form (RFC 5891); the local part stays as it is."""
    assert ascii_address(address) == expected


def test_a_local_part_beyond_ascii() -> None:
    """A local part with other letters is written as UTF-8 (RFC 6532) and read back."""
    raw = built(RenderedEmail(subject="Grüße", text="Grüße"), to="jörg@example.com", name="Jörg")
    email = parsed(raw)
    assert "jörg@example.com".encode() in raw
    assert (email["Subject"], body_of(email, "plain")) == ("Grüße", "Grüße\n")
