"""Attachments and inline images: where they stand, and that they come back as they were."""

from dataclasses import replace
from email import message_from_bytes
from email.message import MIMEPart

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.letters import letter_parcel, parsed, written
from tidings.contracts.templates import RenderedEmail
from tidings.email.letter import File

PDF = File("report.pdf", "application/pdf", b"%PDF-1.7\r\n\x00\xff")
LOGO = File("logo.png", "image/png", b"\x89PNG\r\n", content_id="logo")
SHOWING = RenderedEmail(subject="s", text="Text", html='<img src="cid:logo">')

names = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp", "Zs"]) | st.just(" "),
    min_size=1,
    max_size=255,
).filter(str.strip)


def shape(email: MIMEPart) -> object:
    """The content types, as they nest."""
    if not email.is_multipart():
        return email.get_content_type()
    return {email.get_content_type(): [shape(part) for part in email.iter_parts()]}


@pytest.mark.parametrize(
    ("email", "files", "expected"),
    [
        (
            SHOWING,
            (LOGO,),
            {"multipart/alternative": ["text/plain", {"multipart/related": ["text/html", "image/png"]}]},
        ),
        (
            SHOWING,
            (PDF,),
            {"multipart/mixed": [{"multipart/alternative": ["text/plain", "text/html"]}, "application/pdf"]},
        ),
        (
            SHOWING,
            (PDF, LOGO),
            {
                "multipart/mixed": [
                    {
                        "multipart/alternative": [
                            "text/plain",
                            {"multipart/related": ["text/html", "image/png"]},
                        ]
                    },
                    "application/pdf",
                ]
            },
        ),
        (
            RenderedEmail(subject="s", html="<p>"),
            (LOGO,),
            {"multipart/related": ["text/html", "image/png"]},
        ),
        (RenderedEmail(subject="s", text="x"), (LOGO,), {"multipart/mixed": ["text/plain", "image/png"]}),
    ],
    ids=["shown", "attached", "both", "html only", "text only"],
)
def test_files_stand_where_mail_programs_look(
    email: RenderedEmail, files: tuple[File, ...], expected: object
) -> None:
    """Images that the html shows are related to it, other files come after both forms of the text."""
    assert shape(parsed(written(letter_parcel(email, files=files)))) == expected


@given(name=names, content=st.binary(max_size=2_000), shown=st.booleans())
def test_files_come_back(name: str, content: bytes, shown: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    """Names in any script and bytes of any kind are read back as they were."""
    file = File(name, "application/x-thing", content, "thing@example.com" if shown else None)
    raw = written(letter_parcel(SHOWING, files=(file,)))
    part = next(part for part in parsed(raw).walk() if part.get_content_type() == "application/x-thing")
    assert part.get_content() == content
    assert part.get_content_disposition() == ("inline" if shown else "attachment")
    assert part["Content-ID"] == ("<thing@example.com>" if shown else None)
    # The older parser reads names of RFC 2231 right; the newer one takes some characters for faults.
    older = next(p for p in message_from_bytes(raw).walk() if p.get_content_type() == "application/x-thing")
    assert (older.get_filename() or "").split() == name.split()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 78


@given(name=st.text(st.characters(codec="utf-8"), max_size=80), content_type=st.text(max_size=80))
def test_no_file_adds_a_header(name: str, content_type: str) -> None:
    """Whatever a file is called and claims to be, its part has its own headers and no others."""
    raw = written(letter_parcel(SHOWING, files=(File(name, content_type, b"x"),)))
    *_, part = parsed(raw).walk()
    assert part.keys() == ["Content-Type", "Content-Transfer-Encoding", "Content-Disposition"]
    assert raw.isascii()


@pytest.mark.parametrize(
    ("given_type", "written_type"),
    [
        ("image/png", "image/png"),
        ('text/calendar; method=REQUEST; name="a b"', "text/calendar"),
        ("png", "application/octet-stream"),
        ("message/rfc822", "application/octet-stream"),
        ("multipart/mixed; boundary=x", "application/octet-stream"),
        ("text/plain\r\nBcc: eve@example.com", "application/octet-stream"),
    ],
)
def test_what_is_no_type_of_a_file(given_type: str, written_type: str) -> None:
    """What cannot be the type of a file goes as bytes of an unknown type; parameters are kept."""
    raw = written(letter_parcel(SHOWING, files=(File("x", given_type, b"x"),)))
    *_, part = parsed(raw).walk()
    assert part.get_content_type() == written_type
    assert (part.get_param("method") == "REQUEST") == ("method" in given_type)


@pytest.mark.parametrize("content_id", ["a b", "a>\r\nBcc: e@example.com", "<a>", "ä", "a\nb"])
def test_what_is_no_content_id(content_id: str) -> None:
    """A content id that html could not name is refused, not written."""
    file = File("logo.png", "image/png", b"x", content_id)
    with pytest.raises(ValueError, match="content id"):
        written(letter_parcel(SHOWING, files=(file,)))


def test_a_boundary_in_the_text_ends_nothing() -> None:
    """A text that holds the email's own boundary comes back whole."""
    parcel = letter_parcel(files=(PDF,))
    mark = parcel.message.notification_id.hex
    text = f"--=_{mark}a--\n--=_{mark}m--\n\nx\n"
    letter = replace(parcel.content, email=RenderedEmail(subject="s", text=text, html=text))
    email = parsed(written(replace(parcel, content=letter)))
    body = email.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == text
    assert [part.get_content_type() for part in email.iter_parts()] == [
        "multipart/alternative",
        "application/pdf",
    ]
