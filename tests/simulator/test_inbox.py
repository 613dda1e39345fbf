"""Mail goes in by SMTP and is read over HTTP."""

from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from simulator.running import Simulator, running, settings_in


def letter(subject: str = "Welcome", *, html: str | None = "<h1>Hello</h1>") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Acme <hello@acme.example>"
    message["To"] = "ada@example.com"
    message["Subject"] = subject
    message["Message-ID"] = "<1@acme.example>"
    message.set_content("Hello in plain words\n")
    if html:
        message.add_alternative(html, subtype="html")
    return message


@pytest.fixture
async def smtp(simulator: Simulator) -> AsyncIterator[aiosmtplib.SMTP]:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=simulator.smtp_port) as client:
        yield client


async def test_email_is_listed_with_its_content(simulator: Simulator, smtp: aiosmtplib.SMTP) -> None:
    """An email appears in the JSON inbox with envelope, subject, bodies and size."""
    await smtp.send_message(letter(), sender="bounce@acme.example", recipients=["ada@example.com"])
    page = (await simulator.http.get("/api/inbox")).json()
    [message] = page["messages"]
    assert page["total"] == 1
    assert page["next_cursor"] is None
    assert message["from"] == "Acme <hello@acme.example>"
    assert message["return_path"] == "bounce@acme.example"
    assert message["to"] == ["ada@example.com"]
    assert message["subject"] == "Welcome"
    assert message["message_id"] == "<1@acme.example>"
    assert message["text"] == "Hello in plain words\r\n"
    assert "<h1>Hello</h1>" in message["html"]
    assert message["received_at"].endswith("Z")
    assert message["size"] == len((await simulator.http.get(f"/api/inbox/{message['id']}/raw")).content)


async def test_one_email_has_its_headers(simulator: Simulator, smtp: aiosmtplib.SMTP) -> None:
    """The single email adds every header in order, decoded."""
    await smtp.send_message(letter("Grüße №1"))
    [listed] = (await simulator.http.get("/api/inbox")).json()["messages"]
    shown = (await simulator.http.get(f"/api/inbox/{listed['id']}")).json()
    assert [header["name"] for header in shown["headers"]][:3] == ["From", "To", "Subject"]
    assert {"name": "Subject", "value": "Grüße №1"} in shown["headers"]
    assert "headers" not in listed


async def test_international_address_is_kept(simulator: Simulator, smtp: aiosmtplib.SMTP) -> None:
    """SMTPUTF8 addresses and plain UTF-8 headers come out as they went in."""
    raw = "From: jörg@exämple.com\r\nSubject: Grüße\r\n\r\nHallo\r\n".encode()
    await smtp.sendmail(
        "jörg@example.com", ["zoë@example.com"], raw, mail_options=["SMTPUTF8", "BODY=8BITMIME"]
    )
    [message] = (await simulator.http.get("/api/inbox")).json()["messages"]
    assert message["to"] == ["zoë@example.com"]
    assert message["from"] == "jörg@exämple.com"
    assert message["subject"] == "Grüße"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no headers at all\r\n",
        b"Subject: =?no-such-charset?Q?hm?=\r\n\r\nx",
        b"Subject: =?utf-8?B?!!!?=\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n\xff\xfe",
        b"Content-Type: multipart/mixed\r\nFrom: \xff@\xfe\r\n\r\nno boundary",
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner",
    ],
)
async def test_broken_email_is_still_shown(simulator: Simulator, smtp: aiosmtplib.SMTP, raw: bytes) -> None:
    """Whatever bytes arrive, the inbox, the message and the page can be read."""
    await smtp.sendmail("a@example.com", ["b@example.com"], raw)
    [message] = (await simulator.http.get("/api/inbox")).json()["messages"]
    for path in (f"/api/inbox/{message['id']}", f"/emails/{message['id']}", "/"):
        assert (await simulator.http.get(path)).status_code == 200


async def test_pages_lead_through_the_inbox(simulator: Simulator, smtp: aiosmtplib.SMTP) -> None:
    """Cursors walk from the newest email to the oldest, each once, while the total stays."""
    for number in range(5):
        await smtp.send_message(letter(f"Number {number}"))
    subjects: list[str] = []
    query: dict[str, int] = {"limit": 2}
    for _ in range(3):
        page = (await simulator.http.get("/api/inbox", params=query)).json()
        assert page["total"] == 5
        subjects += [message["subject"] for message in page["messages"]]
        query["cursor"] = page["next_cursor"]
    assert page["next_cursor"] is None
    assert subjects == [f"Number {number}" for number in (4, 3, 2, 1, 0)]


async def test_inbox_of_one_recipient(simulator: Simulator, smtp: aiosmtplib.SMTP) -> None:
    """`to` filters by envelope recipient, in any case, and counts only what matches."""
    for address in ("ada@example.com", "bob@example.com", "ada@example.com"):
        await smtp.send_message(letter(), recipients=[address])
    page = (await simulator.http.get("/api/inbox", params={"to": "ADA@example.com", "limit": 1})).json()
    assert page["total"] == 2
    [first] = page["messages"]
    rest = {"to": "ada@example.com", "cursor": page["next_cursor"]}
    [second] = (await simulator.http.get("/api/inbox", params=rest)).json()["messages"]
    assert first["id"] > second["id"]


async def test_bodies_can_be_left_out(simulator: Simulator, smtp: aiosmtplib.SMTP) -> None:
    """With `bodies=false` the list carries no text and no HTML."""
    await smtp.send_message(letter())
    [message] = (await simulator.http.get("/api/inbox?bodies=false")).json()["messages"]
    assert "text" not in message
    assert "html" not in message
    assert message["subject"] == "Welcome"


async def test_cleared_inbox_is_empty(simulator: Simulator, smtp: aiosmtplib.SMTP) -> None:
    """After DELETE nothing is left, and ids are not used again."""
    await smtp.send_message(letter())
    [before] = (await simulator.http.get("/api/inbox")).json()["messages"]
    assert (await simulator.http.delete("/api/inbox")).status_code == 204
    assert (await simulator.http.get("/api/inbox")).json()["total"] == 0
    missing = await simulator.http.get(f"/api/inbox/{before['id']}")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_email")
    await smtp.send_message(letter())
    [after] = (await simulator.http.get("/api/inbox")).json()["messages"]
    assert after["id"] > before["id"]


async def test_oldest_email_makes_room(tmp_path: Path) -> None:
    """No more than `max_messages` are kept; what was dropped is counted."""
    settings = settings_in(tmp_path, max_messages=2)
    async with (
        running(settings) as simulator,
        aiosmtplib.SMTP(hostname="127.0.0.1", port=simulator.smtp_port) as smtp,
    ):
        for number in range(3):
            await smtp.send_message(letter(f"Number {number}"))
        page = (await simulator.http.get("/api/inbox")).json()
    assert [message["subject"] for message in page["messages"]] == ["Number 2", "Number 1"]
    assert (page["total"], page["dropped"]) == (2, 1)


async def test_server_offers_what_mail_needs(simulator: Simulator, smtp: aiosmtplib.SMTP) -> None:
    """EHLO offers SIZE (25 MiB), 8BITMIME, SMTPUTF8, PIPELINING and AUTH."""
    await smtp.ehlo()
    assert smtp.esmtp_extensions["size"] == str(25 * 1024 * 1024)
    assert {"8bitmime", "smtputf8", "pipelining"} <= set(smtp.esmtp_extensions)
    await smtp.login("simulator", "simulator-key")
    await smtp.send_message(letter())
    assert (await simulator.http.get("/api/inbox")).json()["total"] == 1


async def test_null_return_path_is_taken(simulator: Simulator, smtp: aiosmtplib.SMTP) -> None:
    """A bounce has no return path, and arrives (RFC 5321, section 4.5.5)."""
    await smtp.sendmail("", ["ada@example.com"], b"Subject: bounce\r\n\r\n")
    [message] = (await simulator.http.get("/api/inbox")).json()["messages"]
    assert message["return_path"] == ""


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=0"])
async def test_bad_page_is_refused(simulator: Simulator, query: str) -> None:
    """A limit or cursor that makes no sense is answered 422 and named."""
    answer = await simulator.http.get(f"/api/inbox?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == f"$.{query.partition('=')[0]}"
