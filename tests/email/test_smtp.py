"""The SMTP provider: what it hands over, and what it makes of each way to fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosmtplib
import msgspec
import pytest

from simulator.running import Simulator
from support.parcels import new_message, parcel_of
from support.servers import free_port
from tidings.contracts.codes import Channel, ErrorOwner
from tidings.contracts.templates import RenderedEmail
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.email.providers.smtp import SmtpProvider
from tidings.email.settings import EmailSettings


class Sending:
    """One provider, and how often it asked for a claim."""

    def __init__(self, provider: SmtpProvider) -> None:
        self.provider = provider
        self.claims = 0

    async def send(self, to: str = "ada@example.com") -> Answer:
        content = RenderedEmail(subject="Grüße", text="Grüße", html="<p>Grüße</p>")
        return await self.provider.send(parcel_of(new_message(Channel.EMAIL), content, to), self._claim)

    async def refused(self, to: str = "ada@example.com") -> Refused:
        """The refusal of a send that is known to fail; its words can be reported as JSON."""
        answer = await self.send(to)
        assert isinstance(answer, Refused)
        assert msgspec.json.encode(answer.detail)
        return answer

    async def _claim(self) -> None:
        self.claims += 1


@asynccontextmanager
async def sending(settings: EmailSettings, **changed: object) -> AsyncIterator[Sending]:
    """A provider with these settings."""
    provider = SmtpProvider(msgspec.structs.replace(settings, **changed))
    yield Sending(provider)
    await provider.close()


async def misbehave(simulator: Simulator, **fault: object) -> None:
    answer = await simulator.http.put("/api/faults", json=[{"provider": "smtp", **fault}])
    assert answer.status_code == 200, answer.text


@asynccontextmanager
async def rude_server(*replies: bytes) -> AsyncIterator[int]:
    """A server that answers each line it gets with the next of `replies`, the first one as its greeting."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            writer.write(reply + b"\r\n")
            await writer.drain()
            await reader.readline()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def test_an_email_arrives(simulator: Simulator, settings: EmailSettings) -> None:
    """The envelope has the bare addresses, and the server's words are kept; one claim was made."""
    async with sending(settings) as desk:
        taken = await desk.send()
    (email,) = (await simulator.http.get("/api/inbox")).json()["messages"]
    assert isinstance(taken, Taken)
    assert (taken.provider, (taken.detail or "")[:12]) == ("smtp", "250 2.0.0 Ok")
    assert (email["return_path"], email["to"]) == ("hello@mail.example.com", ["ada@example.com"])
    assert (email["from"], email["subject"]) == ("Tidings <hello@mail.example.com>", "Grüße")
    assert (email["text"].strip(), email["html"].strip()) == ("Grüße", "<p>Grüße</p>")
    assert desk.claims == 1


async def test_a_login_is_used(simulator: Simulator, settings: EmailSettings) -> None:
    """With a user name and a password the provider logs in first."""
    async with sending(settings, smtp_username="hello", smtp_password="secret") as desk:
        assert isinstance(await desk.send(), Taken)
    assert (await simulator.http.get("/api/inbox")).json()["total"] == 1


@pytest.mark.parametrize(
    ("to", "envelope"),
    [
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("jörg@example.com", "jörg@example.com"),
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
    ],
)
async def test_addresses_beyond_ascii(
    simulator: Simulator, settings: EmailSettings, to: str, envelope: str
) -> None:
    """International domains go out in ASCII, international local parts with SMTPUTF8."""
    async with sending(settings) as desk:
        assert isinstance(await desk.send(to), Taken)
    (email,) = (await simulator.http.get("/api/inbox")).json()["messages"]
    assert (email["to"], email["text"].strip()) == ([envelope], "Grüße")


async def test_a_domain_that_cannot_be(settings: EmailSettings) -> None:
    """A domain without an ASCII form is the recipient's fault, not an error of ours."""
    async with sending(settings) as desk:
        refused = await desk.refused("ada@" + "ü" * 64 + ".example")
    assert refused.owner is ErrorOwner.RECIPIENT


async def test_a_server_without_smtputf8(settings: EmailSettings) -> None:
    """A server that takes no international local part is told of none; the refusal says why."""
    async with rude_server(b"220 hi", b"250 hi") as port, sending(settings, smtp_port=port) as desk:
        refused = await desk.refused("jörg@example.com")
    assert (refused.owner, desk.claims) == (ErrorOwner.CONTENT, 0)
    assert "SMTPUTF8" in refused.detail


@pytest.mark.parametrize(
    ("fault", "owner", "claims"),
    [
        ({"stage": "connect"}, ErrorOwner.OUTAGE, 0),
        ({"stage": "mail"}, ErrorOwner.OUTAGE, 0),
        ({"stage": "rcpt"}, ErrorOwner.OUTAGE, 0),
        ({"stage": "data"}, ErrorOwner.AMBIGUOUS, 1),
    ],
    ids=str,
)
async def test_a_dropped_connection(
    simulator: Simulator, settings: EmailSettings, fault: dict[str, str], owner: ErrorOwner, claims: int
) -> None:
    """Before the body a lost connection is an outage and nothing was claimed; after it nobody knows."""
    await misbehave(simulator, drop_connection=True, **fault)
    async with sending(settings) as desk:
        refused = await desk.refused()
    assert (refused.owner, desk.claims) == (owner, claims)
    assert refused.retry_after is None


async def test_an_answer_that_does_not_come(simulator: Simulator, settings: EmailSettings) -> None:
    """A server that is silent after the final dot for longer than the limit leaves the outcome unknown."""
    await misbehave(simulator, latency_s=60)
    async with sending(settings, smtp_data_seconds=0.2) as desk:
        refused = await desk.refused()
    assert (refused.owner, desk.claims) == (ErrorOwner.AMBIGUOUS, 1)


async def test_a_server_that_never_greets(settings: EmailSettings) -> None:
    """A server that takes connections and says nothing is an outage, within the limit of a command."""
    async with rude_server() as port, sending(settings, smtp_port=port, smtp_seconds=0.2) as desk:
        assert (await desk.refused()).owner is ErrorOwner.OUTAGE


async def test_no_server(settings: EmailSettings) -> None:
    """A refused connection is an outage, and the ping fails."""
    async with sending(settings, smtp_port=free_port()) as desk:
        assert (await desk.refused()).owner is ErrorOwner.OUTAGE
        with pytest.raises(aiosmtplib.SMTPException):
            await desk.provider.ping()


async def test_a_server_without_tls(settings: EmailSettings) -> None:
    """Where TLS is asked for, nothing goes out without it."""
    async with sending(settings, smtp_tls="starttls") as desk:
        refused = await desk.refused()
    assert (refused.owner, desk.claims) == (ErrorOwner.OUTAGE, 0)


@pytest.mark.parametrize("words", [b"5.1.1 F\xfcr \xff niemand", b"5.1.1 nul\0", b"5.1.1 " + b"x" * 400])
async def test_a_servers_words_can_be_reported(settings: EmailSettings, words: bytes) -> None:
    """Whatever bytes a server says, its words can be kept and reported."""
    async with (
        rude_server(b"220 hi", b"250 hi", b"250 ok", b"550 " + words) as port,
        sending(settings, smtp_port=port) as desk,
    ):
        refused = await desk.refused()
    assert refused.owner is ErrorOwner.RECIPIENT
    assert refused.detail.startswith("550 5.1.1")


@pytest.mark.parametrize("reply", [b"999 what", b"hello", b"\xff\xfe", b"25", b"250-never ends"])
async def test_a_server_that_does_not_speak_smtp(settings: EmailSettings, reply: bytes) -> None:
    """A reply that is none is an outage, never an error of ours."""
    async with (
        rude_server(b"220 hi", b"250 hi", reply) as port,
        sending(settings, smtp_port=port, smtp_seconds=0.5) as desk,
    ):
        refused = await desk.refused()
    assert refused.owner in {ErrorOwner.OUTAGE, ErrorOwner.CREDENTIAL}
    assert desk.claims == 0


async def test_ping(settings: EmailSettings, simulator: Simulator) -> None:
    """A server that answers can be pinged."""
    assert simulator.smtp_port == settings.smtp_port
    async with sending(settings) as desk:
        await desk.provider.ping()
