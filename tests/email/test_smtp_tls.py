"""TLS between the SMTP provider and a server: required where it is asked for, and verified."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from simulator.running import Simulator
from support.smtp_desk import config_at, config_for, desk, inbox, misbehave, rude_server
from tidings.contracts.codes import ErrorOwner
from tidings.delivery.outcome import Taken
from tidings.email.providers.configs import SmtpConfig


def encrypted(simulator: Simulator, tls: str, **changed: Any) -> SmtpConfig:  # noqa: ANN401 - fields of the config
    """The simulator over TLS, trusted through its own authority."""
    port = simulator.smtp_tls_port if tls == "implicit" else simulator.smtp_port
    return config_for(simulator, **{"tls": tls, "port": port, "ca_file": simulator.ca_file, **changed})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_an_encrypted_email(simulator: Simulator, tls: str, host: str) -> None:
    """With a certificate from a trusted authority, in the server's name, emails go out."""
    async with desk(encrypted(simulator, tls, host=host)) as sending:
        for _ in range(3):
            assert isinstance(await sending.send(), Taken)
    assert len(await inbox(simulator)) == 3


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        ("expired", "certificate has expired"),
        ("wrong_host", "certificate is not valid for '127.0.0.1'"),
        ("self_signed", "self-signed certificate"),
    ],
)
async def test_a_bad_certificate(simulator: Simulator, tls: str, certificate: str, words: str) -> None:
    """A certificate that proves nothing is for the operator to mend; nothing is sent until then."""
    await misbehave(simulator, {"certificate": certificate, "times": 1})
    async with desk(encrypted(simulator, tls)) as sending:
        refused = await sending.refused()
        assert (refused.owner, sending.claims) == (ErrorOwner.CREDENTIAL, 0)
        assert words in refused.detail
        assert "ca_file" in refused.detail
        assert isinstance(await sending.send(), Taken)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_an_authority_that_nobody_named(simulator: Simulator, tls: str) -> None:
    """Without `ca_file` only the system's authorities count."""
    async with desk(encrypted(simulator, tls, ca_file=None)) as sending:
        assert (await sending.refused()).owner is ErrorOwner.CREDENTIAL


async def test_a_server_without_starttls() -> None:
    """Where STARTTLS is asked for and not offered, nothing goes out, and the operator is told."""
    async with (
        rude_server(b"220 hi", b"250-hi\r\n250 SIZE 1000000") as port,
        desk(config_at(port, tls="starttls")) as sending,
    ):
        refused = await sending.refused()
    assert (refused.owner, sending.claims) == (ErrorOwner.CREDENTIAL, 0)
    assert "STARTTLS" in refused.detail


async def test_implicit_tls_at_a_plain_port(simulator: Simulator) -> None:
    """A port that does not speak TLS from the start is an outage, with a hint at the setting."""
    async with desk(encrypted(simulator, "implicit", port=simulator.smtp_port)) as sending:
        refused = await sending.refused()
    assert refused.owner is ErrorOwner.OUTAGE
    assert "`tls` = implicit" in refused.detail


async def test_words_slipped_in_before_tls() -> None:
    """What comes in plain text after the server agreed to TLS ends the connection (RFC 3207)."""
    async with (
        rude_server(b"220 hi", b"250-hi\r\n250 STARTTLS", b"220 go\r\n250 injected") as port,
        desk(config_at(port, tls="starttls")) as sending,
    ):
        refused = await sending.refused()
    assert (refused.owner, sending.claims) == (ErrorOwner.OUTAGE, 0)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_handshake_that_never_ends(tls: str) -> None:
    """A server that falls silent in the TLS handshake is an outage."""
    async with silent_server() as port, desk(config_at(port, tls=tls, seconds=0.3)) as sending:
        assert (await sending.refused()).owner is ErrorOwner.OUTAGE


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """A server that greets and agrees to TLS, and then says nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readline()
        writer.write(b"250-hi\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
