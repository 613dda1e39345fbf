"""The SMTP provider at a server that hangs, hangs up, closes or talks nonsense at any step."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from simulator.running import Simulator
from support.ports import free_port
from support.smtp_desk import (
    PASSWORD,
    USERNAME,
    Sending,
    config_at,
    config_for,
    desk,
    inbox,
    misbehave,
    rude_server,
)
from support.wire import wire_to
from tidings.contracts.codes import ErrorOwner
from tidings.delivery.outcome import Taken
from tidings.email.providers.configs import SmtpConfig

BEFORE_THE_CLAIM = ("connect", "ehlo", "starttls", "auth", "mail", "rcpt")
STAGES = (*BEFORE_THE_CLAIM, "data_start", "data")
LIMIT = 5.0
"""Seconds for an answer: a slow server answers within them at each step that does not hang."""


def every_step(simulator: Simulator, **changed: Any) -> SmtpConfig:  # noqa: ANN401 - fields of the config
    """TLS, a login, and one connection."""
    steps = {"tls": "starttls", "ca_file": simulator.ca_file, "username": USERNAME, "password": PASSWORD}
    return config_for(simulator, **{**steps, "connections": 1, **changed})


async def assert_recovers(sending: Sending, simulator: Simulator) -> None:
    """The next email goes out: no connection is left in a bad state."""
    before = len(await inbox(simulator))
    assert isinstance(await sending.send(), Taken)
    assert len(await inbox(simulator)) == before + 1


@pytest.mark.parametrize("stage", STAGES)
async def test_it_hangs(simulator: Simulator, stage: str) -> None:
    """A server that falls silent before the body is an outage; after the final dot nobody knows."""
    await misbehave(simulator, {"stage": stage, "hang": True, "times": 1})
    limits = {"data_seconds": 0.3} if stage == "data" else {"seconds": LIMIT}
    async with desk(every_step(simulator, **limits)) as sending:
        refused = await sending.refused()
        assert refused.owner is (ErrorOwner.AMBIGUOUS if stage == "data" else ErrorOwner.OUTAGE)
        assert "No answer within" in refused.detail
        assert sending.claims == (0 if stage in BEFORE_THE_CLAIM else 1)
        assert await inbox(simulator) == []
    async with desk(every_step(simulator)) as sending:
        await assert_recovers(sending, simulator)


@pytest.mark.parametrize("stage", STAGES)
async def test_it_hangs_up(simulator: Simulator, stage: str) -> None:
    """A connection lost before the body is an outage; lost after the final dot, nobody knows."""
    await misbehave(simulator, {"stage": stage, "drop_connection": True, "times": 1})
    async with desk(every_step(simulator)) as sending:
        refused = await sending.refused()
        assert refused.owner is (ErrorOwner.AMBIGUOUS if stage == "data" else ErrorOwner.OUTAGE)
        assert sending.claims == (0 if stage in BEFORE_THE_CLAIM else 1)
        assert await inbox(simulator) == []
        await assert_recovers(sending, simulator)


@pytest.mark.parametrize("stage", [*BEFORE_THE_CLAIM, "data_start"])
async def test_it_hangs_up_after_its_answer(simulator: Simulator, stage: str) -> None:
    """A server that closes after any step loses no email silently, and the next one goes out."""
    await misbehave(simulator, {"stage": stage, "drop_after": True, "times": 1})
    async with desk(every_step(simulator)) as sending:
        refused = await sending.refused()
        # Once it had said 354, the body was on its way.
        expected = {ErrorOwner.OUTAGE, ErrorOwner.AMBIGUOUS} if stage == "data_start" else {ErrorOwner.OUTAGE}
        assert refused.owner in expected
        assert await inbox(simulator) == []
        await assert_recovers(sending, simulator)


async def test_it_closes_after_each_email(simulator: Simulator) -> None:
    """A server that closes after it took an email has taken it; the next email opens a connection."""
    await misbehave(simulator, {"stage": "data", "drop_after": True})
    async with desk(every_step(simulator)) as sending:
        for _ in range(3):
            assert isinstance(await sending.send(), Taken)
    assert len(await inbox(simulator)) == 3


async def test_it_drops_the_answer_to_the_body(simulator: Simulator) -> None:
    """An email that was taken without an answer is ambiguous: it did arrive, and nobody could tell."""
    await misbehave(simulator, {"drop_response": True, "times": 1})
    async with desk(every_step(simulator)) as sending:
        refused = await sending.refused()
        assert (refused.owner, sending.claims) == (ErrorOwner.AMBIGUOUS, 1)
        assert len(await inbox(simulator)) == 1
        await assert_recovers(sending, simulator)


@pytest.mark.parametrize("stage", [*BEFORE_THE_CLAIM, "data_start", "data"])
async def test_it_is_closing(simulator: Simulator, stage: str) -> None:
    """421 is a definite no at every step, even after the body; the next email opens a connection."""
    await misbehave(simulator, {"stage": stage, "smtp_code": 421, "times": 1})
    async with desk(every_step(simulator)) as sending:
        refused = await sending.refused()
        assert (refused.owner, refused.provider_wide) == (ErrorOwner.OUTAGE, True)
        assert await inbox(simulator) == []
        await assert_recovers(sending, simulator)


@pytest.mark.parametrize("effect", [{"smtp_code": 421}, {"drop_connection": True}], ids=str)
async def test_it_ends_a_kept_connection(simulator: Simulator, effect: dict[str, Any]) -> None:
    """A kept connection that ends at MAIL, as some servers do after some emails, costs no email."""
    async with desk(every_step(simulator)) as sending:
        assert isinstance(await sending.send(), Taken)
        await misbehave(simulator, {"stage": "mail", "times": 1, **effect})
        assert isinstance(await sending.send(), Taken)
        await misbehave(simulator, {"stage": "mail", "times": 2, **effect})
        assert (await sending.refused()).owner is ErrorOwner.OUTAGE
    assert len(await inbox(simulator)) == 2


@pytest.mark.parametrize("effect", ["hang", "drop_connection", "drop_after"])
@pytest.mark.parametrize("stage", ["rset", "quit"])
async def test_it_fails_between_emails(simulator: Simulator, stage: str, effect: str) -> None:
    """Trouble with RSET after a refusal, or with QUIT at the end, fails no email."""
    await misbehave(simulator, {"stage": stage, effect: True}, {"smtp_code": 550, "times": 1})
    async with desk(every_step(simulator, seconds=LIMIT)) as sending:
        assert (await sending.refused()).owner is ErrorOwner.RECIPIENT
        assert isinstance(await sending.send(), Taken)
        assert isinstance(await sending.send(), Taken)
    assert len(await inbox(simulator)) == 2


async def test_a_slow_banner(simulator: Simulator) -> None:
    """A server that takes its time to greet is waited for."""
    await misbehave(simulator, {"stage": "connect", "latency_s": 0.5})
    async with desk(every_step(simulator)) as sending:
        assert isinstance(await sending.send(), Taken)


async def test_no_server() -> None:
    """A port where nobody listens is an outage."""
    async with desk(config_at(free_port())) as sending:
        assert (await sending.refused()).owner is ErrorOwner.OUTAGE


async def test_a_name_that_does_not_resolve() -> None:
    """A host that DNS does not know is an outage, and the words name it."""
    config = SmtpConfig(host="mail.tidings.invalid", port=587, tls="none")
    async with desk(config) as sending:
        refused = await sending.refused()
    assert refused.owner is ErrorOwner.OUTAGE
    assert "mail.tidings.invalid:587" in refused.detail


@pytest.mark.parametrize(
    "reply", [b"999 what", b"hello", b"\xff\xfe", b"25", b"250-never ends", b"250 " + b"x" * 100_000]
)
async def test_it_does_not_speak_smtp(reply: bytes) -> None:
    """A reply that is none is an outage, never an error of ours."""
    async with (
        rude_server(b"220 hi", b"250 hi", reply) as port,
        desk(config_at(port, seconds=0.5)) as sending,
    ):
        assert (await sending.refused()).owner is ErrorOwner.OUTAGE
    assert sending.claims == 0


async def test_an_answer_without_a_question() -> None:
    """A reply too many puts a conversation out of step: the connection is not used again."""
    greeted = (b"220 hi", b"250 hi", b"250 ok", b"250 ok", b"354 go")
    async with (
        chatty_server(*greeted) as server,
        wire_to(server) as (wire, port),
        desk(config_at(port)) as sending,
    ):
        for opened in (1, 2):
            assert isinstance(await sending.send(), Taken)
            assert wire.opened == opened


@asynccontextmanager
async def chatty_server(*replies: bytes) -> AsyncIterator[int]:
    """A server that answers each line with the next of `replies`, and an email with two replies."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            writer.write(reply + b"\r\n")
            await reader.readuntil(b"\r\n")
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 taken\r\n250 and more\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
