"""The dry run."""

import pytest

from support.email_providers import parcel, sending
from tidings.contracts.codes import ErrorOwner
from tidings.contracts.messages import EmailParts
from tidings.delivery.outcome import Taken
from tidings.email.letter import File
from tidings.email.providers.configs import ConsoleConfig


async def test_an_email_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Headers, text and files are shown as a person reads them, and one claim is made."""
    given = parcel(
        parts=EmailParts(cc=["bob@example.com"]), files=(File("a.pdf", "application/pdf", b"123"),)
    )
    async with sending(ConsoleConfig()) as desk:
        assert isinstance(await desk.send(given), Taken)
        await desk.provider.ping()
    lines = capsys.readouterr().out.splitlines()
    assert "To: Ada <ada@example.com>" in lines
    assert "Cc: bob@example.com" in lines
    assert "Subject: Grüße 你好" in lines
    assert "Grüße" in lines
    assert "[a.pdf: application/pdf, 3 bytes]" in lines
    assert desk.claims == 1


async def test_what_no_provider_would_take(capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run refuses what a real one would: a broken address, and a header that may not be set."""
    async with sending(ConsoleConfig()) as desk:
        assert (await desk.refused(parcel("ada"))).owner is ErrorOwner.RECIPIENT
        forged = parcel(parts=EmailParts(headers={"Bcc": "eve@example.com"}))
        assert (await desk.refused(forged)).owner is ErrorOwner.CONTENT
    assert capsys.readouterr().out == ""
