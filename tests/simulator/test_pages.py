"""The inbox as people see it."""

import aiosmtplib

from simulator.running import Simulator

HOSTILE = (
    b"From: <script>alert(1)</script>\r\nSubject: <b>bold</b>\r\nContent-Type: text/html\r\n\r\n"
    b"<script>alert(2)</script><p>Hello</p>"
)


async def send(simulator: Simulator, raw: bytes) -> int:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=simulator.smtp_port) as smtp:
        await smtp.sendmail("a@example.com", ["ada@example.com"], raw)
    email_id: int = (await simulator.http.get("/api/inbox")).json()["messages"][0]["id"]
    return email_id


async def test_empty_inbox_says_what_to_do(simulator: Simulator) -> None:
    """Empty lists tell where to send."""
    assert f"127.0.0.1:{simulator.smtp_port}" in (await simulator.http.get("/")).text
    assert "tidings send --channel push" in (await simulator.http.get("/pushes")).text


async def test_sender_cannot_write_into_the_page(simulator: Simulator) -> None:
    """Headers and raw text are escaped on every view, and the page's policy forbids foreign scripts."""
    email_id = await send(simulator, HOSTILE)
    for view in ("html", "text", "raw", "headers"):
        page = await simulator.http.get(f"/emails/{email_id}", params={"view": view})
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<b>bold</b>" not in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]


async def test_html_of_an_email_is_sandboxed(simulator: Simulator) -> None:
    """The HTML is shown in a frame without scripts, and its own address forbids them too."""
    email_id = await send(simulator, HOSTILE)
    page = (await simulator.http.get(f"/emails/{email_id}")).text
    assert f'src="/api/inbox/{email_id}/html"' in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    body = await simulator.http.get(f"/api/inbox/{email_id}/html")
    assert "<p>Hello</p>" in body.text
    policy = body.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups")
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy


async def test_email_without_html_opens_as_text(simulator: Simulator) -> None:
    """A text email opens on its text; asking for HTML says there is none."""
    email_id = await send(simulator, b"From: Bob <bob@example.com>\r\nSubject: plain\r\n\r\nOnly words\r\n")
    page = (await simulator.http.get(f"/emails/{email_id}")).text
    assert "Only words" in page
    assert "<dd>Bob &lt;bob@example.com&gt;</dd>" in page
    assert "no HTML part" in (await simulator.http.get(f"/emails/{email_id}?view=html")).text
    missing = await simulator.http.get(f"/api/inbox/{email_id}/html")
    assert (missing.status_code, missing.json()["code"]) == (404, "no_html_part")


async def test_list_alone_marks_the_selection(simulator: Simulator) -> None:
    """What the page fetches to stay fresh is the list only, with the selected email still marked."""
    email_id = await send(simulator, b"Subject: chosen\r\n\r\n")
    fresh = (await simulator.http.get(f"/emails/{email_id}?list_only=true")).text
    assert "<html" not in fresh
    assert f'href="/emails/{email_id}" aria-current="true"' in fresh


async def test_forgotten_email_is_said_to_be_gone(simulator: Simulator) -> None:
    """The address of an email that is no longer kept answers 404 with a page that says so."""
    email_id = await send(simulator, b"Subject: soon gone\r\n\r\n")
    await simulator.http.delete("/api/inbox")
    page = await simulator.http.get(f"/emails/{email_id}")
    assert page.status_code == 404
    assert "no longer kept" in page.text
