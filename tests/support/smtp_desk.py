"""One SMTP provider at work, and the servers that tests put at its other end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from simulator.running import Simulator
from support.parcels import new_message, parcel_of
from tidings.contracts.codes import Channel
from tidings.contracts.messages import EmailParts
from tidings.contracts.templates import RenderedEmail
from tidings.delivery.outcome import Answer, Refused
from tidings.email.letter import EmailParcel, File, Letter
from tidings.email.mime import MimeBuilder
from tidings.email.providers.configs import SmtpConfig
from tidings.email.providers.outfit import Outfit
from tidings.email.providers.smtp import SmtpProvider
from tidings.email.return_path import ReturnPath

SENDER = "Tidings <hello@mail.example.com>"
USERNAME, PASSWORD = "simulator", "simulator-key"


def email(to: str = "ada@example.com", *, files: tuple[File, ...] = (), **parts: Any) -> EmailParcel:  # noqa: ANN401 - fields of EmailParts
    """An email to one person, with such parts."""
    content = RenderedEmail(subject="Grüße 你好", text="Grüße", html="<p>Grüße</p>")
    return parcel_of(new_message(Channel.EMAIL, email=EmailParts(**parts)), Letter(content, files), to)


class Sending:
    """One provider, and how often it asked for a claim."""

    def __init__(self, provider: SmtpProvider) -> None:
        self.provider = provider
        self.claims = 0

    async def send(self, one: EmailParcel | None = None) -> Answer:
        return await self.provider.send(one or email(), self._claim)

    async def refused(self, one: EmailParcel | None = None) -> Refused:
        """The refusal of a send that is known to fail; its words can be kept and reported."""
        answer = await self.send(one)
        assert isinstance(answer, Refused), answer
        assert msgspec.json.encode(answer.detail)
        assert len(answer.detail) <= 1000
        assert "\x00" not in answer.detail
        return answer

    async def _claim(self) -> None:
        self.claims += 1


def config_for(simulator: Simulator, **changed: object) -> SmtpConfig:
    """The plain config that leads to the simulator, with at most 3 connections."""
    plain = SmtpConfig(host="127.0.0.1", port=simulator.smtp_port, tls="none", connections=3)
    return msgspec.structs.replace(plain, **changed)


def config_at(port: int, **changed: object) -> SmtpConfig:
    """The same for any port of this machine."""
    return msgspec.structs.replace(SmtpConfig(host="127.0.0.1", port=port, tls="none"), **changed)


@asynccontextmanager
async def provider_of(
    config: SmtpConfig, *, name: str = "relay", bounce_domain: str | None = None
) -> AsyncIterator[SmtpProvider]:
    """The provider `name`, closed on leaving."""
    return_path = ReturnPath("x" * 32, bounce_domain, "hello@mail.example.com")
    async with aiohttp.ClientSession() as session:
        provider = SmtpProvider(name, config, Outfit(SENDER, MimeBuilder(SENDER), return_path, session))
        try:
            yield provider
        finally:
            await provider.close()


@asynccontextmanager
async def desk(config: SmtpConfig) -> AsyncIterator[Sending]:
    """A provider that counts its claims."""
    async with provider_of(config) as provider:
        yield Sending(provider)


async def misbehave(simulator: Simulator, *faults: dict[str, Any]) -> None:
    """Put faults of the SMTP server in force."""
    answer = await simulator.http.put("/api/faults", json=[{"provider": "smtp", **one} for one in faults])
    assert answer.status_code == 200, answer.text


async def inbox(simulator: Simulator) -> list[dict[str, Any]]:
    """What has arrived, newest first."""
    messages: list[dict[str, Any]] = (await simulator.http.get("/api/inbox")).json()["messages"]
    return messages


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
