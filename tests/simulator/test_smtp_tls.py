"""TLS of the simulated SMTP server, as a client that verifies certificates meets it."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiosmtplib
import msgspec
import pytest

from simulator.running import Simulator, running, settings_in
from support.ports import free_port
from tidings.kit.settings import SettingsError
from tidings.simulator.app import run

RAW = b"Subject: test\r\n\r\nHello\r\n"


@pytest.fixture(scope="module")
async def encrypted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    async with running(settings_in(tmp_path_factory.mktemp("encrypted"), tls=True)) as simulator:
        yield simulator


def client(simulator: Simulator, *, implicit: bool) -> aiosmtplib.SMTP:
    """A client that trusts the simulator's authority alone."""
    return aiosmtplib.SMTP(
        hostname="127.0.0.1",
        port=simulator.smtp_tls_port if implicit else simulator.smtp_port,
        use_tls=implicit,
        start_tls=not implicit,
        tls_context=ssl.create_default_context(cafile=simulator.ca_file),
    )


@pytest.mark.parametrize("implicit", [True, False], ids=["implicit", "starttls"])
async def test_a_verified_connection(encrypted: Simulator, *, implicit: bool) -> None:
    """Both ways to TLS lead to the same inbox; inside it STARTTLS is offered no more."""
    await encrypted.http.delete("/api/inbox")
    async with client(encrypted, implicit=implicit) as smtp:
        await smtp.ehlo()
        assert not smtp.supports_extension("starttls")
        await smtp.login("simulator", "simulator-key")
        await smtp.sendmail("a@example.com", ["ada@example.com"], RAW)
    assert (await encrypted.http.get("/api/inbox")).json()["total"] == 1


@pytest.mark.parametrize("implicit", [True, False], ids=["implicit", "starttls"])
@pytest.mark.parametrize("certificate", ["expired", "wrong_host", "self_signed"])
async def test_a_bad_certificate(encrypted: Simulator, certificate: str, *, implicit: bool) -> None:
    """A fault shows a bad certificate as often as it says; afterwards the good one is back."""
    fault = {"provider": "smtp", "certificate": certificate, "times": 1}
    assert (await encrypted.http.put("/api/faults", json=[fault])).status_code == 200
    with pytest.raises(
        (ssl.SSLCertVerificationError, aiosmtplib.SMTPConnectError), match="CERTIFICATE_VERIFY"
    ):
        await client(encrypted, implicit=implicit).connect()
    async with client(encrypted, implicit=implicit) as smtp:
        await smtp.noop()


async def test_authority_outlives_a_restart(tmp_path: Path) -> None:
    """Clients that trust the authority go on trusting it after a restart; keys are for the owner alone."""
    folder = tmp_path / "certificates"
    async with running(settings_in(tmp_path, tls=True)):
        before = {file.name: file.read_bytes() for file in folder.iterdir()}
    async with (
        running(settings_in(tmp_path, tls=True)) as simulator,
        client(simulator, implicit=True) as smtp,
    ):
        await smtp.noop()
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert {file.stat().st_mode & 0o077 for file in folder.iterdir() if file.name != "ca.pem"} == {0}


async def test_tls_port_needs_a_folder(tmp_path: Path) -> None:
    """A port for TLS without a folder for certificates is named at the start."""
    settings = settings_in(tmp_path)
    with pytest.raises(SettingsError, match="CERTIFICATES_FOLDER"):
        await run(msgspec.structs.replace(settings, smtp_tls_port=free_port()))


async def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder that cannot be made is named at the start."""
    (tmp_path / "file").write_text("in the way")
    settings = settings_in(tmp_path)
    with pytest.raises(SettingsError, match="CERTIFICATES_FOLDER"):
        await run(msgspec.structs.replace(settings, certificates_folder=str(tmp_path / "file" / "x")))
