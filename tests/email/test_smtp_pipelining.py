"""PIPELINING (RFC 2920): what the server receives at once, and how its answers are told apart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from support.smtp_desk import config_at, desk, email
from tidings.contracts.codes import ErrorOwner
from tidings.delivery.outcome import Taken


@dataclass
class Conversation:
    """What a server offers, what it answers to each piece that reaches it, and those pieces.

    `rest` follows the last answer, as a packet of its own.
    """

    offer: bytes
    answers: list[bytes]
    rest: bytes = b""
    port: int = 0
    pieces: list[bytes] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readline()
        writer.write(b"250-hi\r\n250 " + self.offer + b"\r\n")
        for answer in self.answers:
            self.pieces.append(await reader.read(65_536))
            writer.write(answer)
            await writer.drain()
        if self.rest:
            await asyncio.sleep(0)  # lets the first packet leave alone
            writer.write(self.rest)
        await reader.read()
        writer.close()


@asynccontextmanager
async def conversing(offer: bytes, *answers: bytes) -> AsyncIterator[Conversation]:
    """A server for one conversation."""
    conversation = Conversation(offer, list(answers))
    server = await asyncio.start_server(conversation.talk, "127.0.0.1", 0)
    conversation.port = server.sockets[0].getsockname()[1]
    try:
        yield conversation
    finally:
        server.close()
        await server.wait_closed()


OK = b"250 2.1.0 Ok\r\n"
GO = b"354 Go\r\n"
NO = b"550 5.1.1 No such user\r\n"
TAKEN = b"250 2.0.0 Queued\r\n"
COPY = email(cc=["bob@example.com"])


async def test_the_envelope_goes_out_at_once() -> None:
    """Where the server offers it, MAIL and every RCPT are one write; DATA waits for their answers."""
    async with (
        conversing(b"PIPELINING", OK + OK + OK, GO, TAKEN) as server,
        desk(config_at(server.port)) as sending,
    ):
        assert isinstance(await sending.send(COPY), Taken)
    envelope = [
        b"MAIL FROM:<hello@mail.example.com>",
        b"RCPT TO:<ada@example.com>",
        b"RCPT TO:<bob@example.com>",
    ]
    assert server.pieces[0].splitlines() == envelope
    assert server.pieces[1] == b"DATA\r\n"
    assert server.pieces[2].endswith(b"\r\n.\r\n")


async def test_one_command_at_a_time_otherwise() -> None:
    """A server that does not offer it gets each command after the answer to the one before."""
    async with (
        conversing(b"HELP", OK, OK, OK, GO, TAKEN) as server,
        desk(config_at(server.port)) as sending,
    ):
        assert isinstance(await sending.send(COPY), Taken)
    assert [piece.splitlines()[0][:4] for piece in server.pieces[:4]] == [b"MAIL", b"RCPT", b"RCPT", b"DATA"]
    assert all(len(piece.splitlines()) == 1 for piece in server.pieces[:4])


async def test_the_first_recipient_refused() -> None:
    """With the person refused and a copy accepted, no body follows, and RSET comes before the next email."""
    async with (
        conversing(b"PIPELINING", OK + NO + OK, OK, OK + OK, GO, TAKEN) as server,
        desk(config_at(server.port)) as sending,
    ):
        refused = await sending.refused(COPY)
        assert (refused.owner, refused.dead, sending.claims) == (ErrorOwner.RECIPIENT, True, 0)
        assert isinstance(await sending.send(), Taken)
    assert [piece.splitlines()[0][:4] for piece in server.pieces[:4]] == [b"MAIL", b"RSET", b"MAIL", b"DATA"]


async def test_the_sender_refused() -> None:
    """With the sender refused, the answers to the recipients are taken too: the next email is in step."""
    no_sender = b"550 5.1.8 Sender rejected\r\n"
    after = b"503 5.5.1 Need MAIL first\r\n"
    async with (
        conversing(b"PIPELINING", no_sender + after + after, OK, OK + OK, GO, TAKEN) as server,
        desk(config_at(server.port)) as sending,
    ):
        refused = await sending.refused(COPY)
        assert (refused.owner, sending.claims) == (ErrorOwner.CREDENTIAL, 0)
        assert refused.detail == "550 5.1.8 Sender rejected"
        assert isinstance(await sending.send(), Taken)


@pytest.mark.parametrize("cut", range(1, len(OK + NO), 7))
async def test_answers_in_any_pieces(cut: int) -> None:
    """Answers belong to commands by their order, however the network cuts them."""
    both = OK + NO
    async with (
        conversing(b"PIPELINING", both[:cut]) as server,
        desk(config_at(server.port)) as sending,
    ):
        server.rest = both[cut:]
        refused = await sending.refused()
    assert refused.detail == "550 5.1.1 No such user"


async def test_a_server_that_closes_in_the_middle() -> None:
    """421 in place of a recipient's answer ends the email at once."""
    async with (
        conversing(b"PIPELINING", OK + b"421 4.3.2 Closing\r\n") as server,
        desk(config_at(server.port)) as sending,
    ):
        refused = await sending.refused(COPY)
    assert (refused.owner, sending.claims) == (ErrorOwner.OUTAGE, 0)
