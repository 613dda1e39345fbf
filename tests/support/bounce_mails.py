"""Mails that mail servers send to return paths, as the RFCs show them and as known servers write them."""

from collections.abc import Iterable


def delivery_report(*blocks: str, kind: str = "delivery-status") -> bytes:
    """A report (RFC 3464, or RFC 5965 for the kind `feedback-report`), with a block for each recipient."""
    report = "\n\n".join(("Reporting-MTA: dns; mx.example.net", *blocks)) if blocks else ""
    machine = blocks[0] if kind == "feedback-report" else report
    return _crlf(
        [
            "From: MAILER-DAEMON@mx.example.net (Mail Delivery System)",
            "Subject: Undelivered Mail Returned to Sender",
            "Auto-Submitted: auto-replied",
            "MIME-Version: 1.0",
            f'Content-Type: multipart/report; report-type={kind}; boundary="4711/mx"',
            "",
            "--4711/mx",
            "Content-Type: text/plain; charset=us-ascii",
            "",
            "I'm sorry to have to inform you that your message could not be delivered.",
            "",
            "--4711/mx",
            f"Content-Type: message/{kind}",
            "",
            machine,
            "",
            "--4711/mx",
            "Content-Type: message/rfc822",
            "",
            "Subject: Welcome",
            "",
            "Hello",
            "--4711/mx--",
        ]
    )


def failure(
    final: str,
    *,
    status: str = "5.1.1",
    action: str = "failed",
    original: str | None = None,
    diagnostic: str = "smtp; 550 no",
) -> str:
    """One recipient's block."""
    lines = [f"Original-Recipient: rfc822;{original}"] if original else []
    return "\n".join(
        [
            *lines,
            f"Final-Recipient: rfc822; {final}",
            f"Action: {action}",
            f"Status: {status}",
            f"Diagnostic-Code: {diagnostic}",
        ]
    )


def complaint(kind: str, *recipients: str) -> str:
    """A feedback report's fields."""
    named = [f"Original-Rcpt-To: {one}" for one in recipients]
    return "\n".join([f"Feedback-Type: {kind}", "User-Agent: Example/1.0", "Version: 1", *named])


OUT_OF_OFFICE = b"\r\n".join(
    [
        b"From: ada@example.com",
        b"Subject: Out of office",
        b"Auto-Submitted: auto-replied",
        b"",
        b"Back on Monday.",
    ]
)


def _crlf(lines: Iterable[str]) -> bytes:
    return "\r\n".join("\n".join(lines).split("\n")).encode()
