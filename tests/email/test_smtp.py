"""The SMTP provider: what it hands over, to whom, and what it says about it."""

from base64 import b64encode

import pytest

from simulator.running import Simulator
from support.parcels import ready
from support.ports import free_port
from support.smtp_desk import config_at, config_for, desk, email, inbox, misbehave, provider_of, rude_server
from tidings.contracts.codes import ErrorOwner
from tidings.delivery.outcome import Taken
from tidings.email.letter import File
from tidings.email.providers.smtp_errors import SmtpError
from tidings.email.return_path import ReturnPath


async def test_an_email_arrives(simulator: Simulator) -> None:
    """The envelope has the bare addresses, and the server's words are kept; one claim was made."""
    async with desk(config_for(simulator)) as sending:
        taken = await sending.send()
    (arrived,) = await inbox(simulator)
    assert isinstance(taken, Taken)
    assert (taken.provider, (taken.detail or "")[:12]) == ("relay", "250 2.0.0 Ok")
    assert (arrived["return_path"], arrived["to"]) == ("hello@mail.example.com", ["ada@example.com"])
    assert (arrived["from"], arrived["subject"]) == ("Tidings <hello@mail.example.com>", "Grüße 你好")
    assert arrived["text"].strip() == "Grüße"
    assert sending.claims == 1


async def test_every_dot_arrives(simulator: Simulator) -> None:
    """Lines that begin with dots, a lone dot among them, arrive as they are."""
    lines = b"\r\n".join([b".", b"..", b".leading", b"in.the.middle", b"."])
    file = File("dots.txt", "text/plain", lines)
    async with desk(config_for(simulator)) as sending:
        assert isinstance(await sending.send(email(files=(file,))), Taken)
    (arrived,) = await inbox(simulator)
    raw = (await simulator.http.get(f"/api/inbox/{arrived['id']}/raw")).content
    assert b64encode(lines) in raw.replace(b"\r\n", b"")


async def test_each_email_has_its_own_return_path(simulator: Simulator) -> None:
    """With a bounce domain, MAIL FROM is a token that leads back to the notification and its address."""
    one = email()
    async with provider_of(config_for(simulator), bounce_domain="bounces.example.com") as provider:
        assert isinstance(await provider.send(one, ready), Taken)
    (arrived,) = await inbox(simulator)
    bounced = ReturnPath("x" * 32, "bounces.example.com", "unused").read(arrived["return_path"])
    assert bounced is not None
    assert bounced.notification_id == one.message.notification_id
    assert bounced.fits("ada@example.com")


@pytest.mark.parametrize(
    ("to", "envelope"),
    [
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("jörg@example.com", "jörg@example.com"),
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
    ],
)
async def test_addresses_beyond_ascii(simulator: Simulator, to: str, envelope: str) -> None:
    """International domains go out in ASCII, international local parts with SMTPUTF8."""
    async with desk(config_for(simulator)) as sending:
        assert isinstance(await sending.send(email(to)), Taken)
    (arrived,) = await inbox(simulator)
    assert (arrived["to"], arrived["text"].strip()) == ([envelope], "Grüße")


@pytest.mark.parametrize(
    "to", ["ada@" + "ü" * 64 + ".example", "ada@example.com>\r\nRSET", "<ada@example.com", "a da@example.com"]
)
async def test_an_address_that_cannot_be_written(simulator: Simulator, to: str) -> None:
    """An address that has no form in SMTP is the recipient's fault, and no command is made of it."""
    async with desk(config_for(simulator)) as sending:
        refused = await sending.refused(email(to))
    assert (refused.owner, sending.claims) == (ErrorOwner.RECIPIENT, 0)
    assert await inbox(simulator) == []


async def test_a_server_without_smtputf8() -> None:
    """A server that takes no international local part is told of none; the refusal says why."""
    async with rude_server(b"220 hi", b"250 hi") as port, desk(config_at(port)) as sending:
        refused = await sending.refused(email("jörg@example.com"))
    assert (refused.owner, sending.claims) == (ErrorOwner.CONTENT, 0)
    assert "SMTPUTF8" in refused.detail


async def test_an_email_larger_than_the_server_takes() -> None:
    """Where the server names a limit, a larger email is refused with both sizes before it is sent."""
    async with (
        rude_server(b"220 hi", b"250-hi\r\n250 SIZE 300") as port,
        desk(config_at(port)) as sending,
    ):
        refused = await sending.refused()
    assert (refused.owner, sending.claims) == (ErrorOwner.CONTENT, 0)
    assert "at most 300" in refused.detail


async def test_a_size_refused_at_once() -> None:
    """A server that refuses the size declared at MAIL speaks of the content, not of our account."""
    async with (
        rude_server(b"220 hi", b"250-hi\r\n250 SIZE 0", b"552 5.3.4 Too big for this user") as port,
        desk(config_at(port)) as sending,
    ):
        assert (await sending.refused()).owner is ErrorOwner.CONTENT


async def test_copies_go_to_everyone(simulator: Simulator) -> None:
    """One email goes to the person, to cc and to bcc; bcc is in no header."""
    async with desk(config_for(simulator)) as sending:
        taken = await sending.send(email(cc=["bob@example.com"], bcc=["eve@example.com"]))
    (arrived,) = await inbox(simulator)
    raw = (await simulator.http.get(f"/api/inbox/{arrived['id']}/raw")).text
    assert isinstance(taken, Taken)
    assert arrived["to"] == ["ada@example.com", "bob@example.com", "eve@example.com"]
    assert "bob@example.com" in raw
    assert "eve@example.com" not in raw


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "one by one"])
async def test_a_refused_copy_is_left_out(simulator: Simulator, *, pipelining: bool) -> None:
    """One of two recipients refused: the email goes to the other, and the words name what was left out."""
    if not pipelining:
        await misbehave(
            simulator,
            {"stage": "ehlo", "smtp_code": 502, "times": 1},
            {"smtp_code": 550, "match": "bob@"},
        )
    else:
        await misbehave(simulator, {"smtp_code": 550, "match": "bob@"})
    async with desk(config_for(simulator)) as sending:
        taken = await sending.send(email(cc=["bob@example.com"], bcc=["eve@example.com"]))
    (arrived,) = await inbox(simulator)
    assert arrived["to"] == ["ada@example.com", "eve@example.com"]
    assert isinstance(taken, Taken)
    assert "1 of 3 recipients left out: b…@example.com (550 5.1.1 No such user" in (taken.detail or "")
    assert "bob@" not in (taken.detail or "")


@pytest.mark.parametrize("times", [1, 2])
async def test_the_person_refused_ends_the_email(simulator: Simulator, times: int) -> None:
    """When the person's own address is refused, nobody gets the email, and the next one is its own."""
    await misbehave(simulator, {"smtp_code": 550, "match": "ada@", "times": times})
    async with desk(config_for(simulator)) as sending:
        for _ in range(times):
            refused = await sending.refused(email(cc=["bob@example.com"]))
            assert (refused.owner, refused.dead) == (ErrorOwner.RECIPIENT, True)
        assert sending.claims == 0
        assert await inbox(simulator) == []
        assert isinstance(await sending.send(), Taken)
    assert [one["to"] for one in await inbox(simulator)] == [["ada@example.com"]]


@pytest.mark.parametrize(
    ("fault", "owner", "dead", "provider_wide", "retry_after"),
    [
        ({"smtp_code": 550}, ErrorOwner.RECIPIENT, True, True, None),
        ({"smtp_code": 452}, ErrorOwner.THROTTLE, False, False, 3600),
        ({"smtp_code": 450}, ErrorOwner.THROTTLE, False, False, None),
        ({"smtp_code": 552, "stage": "data"}, ErrorOwner.CONTENT, False, True, None),
        ({"smtp_code": 552, "text": "5.2.2 Over quota"}, ErrorOwner.THROTTLE, False, False, 3600),
        ({"smtp_code": 554, "stage": "data"}, ErrorOwner.CONTENT, False, True, None),
        ({"smtp_code": 554, "stage": "data_start"}, ErrorOwner.CONTENT, False, True, None),
        ({"smtp_code": 451, "stage": "data"}, ErrorOwner.OUTAGE, False, True, None),
        (
            {"smtp_code": 421, "text": "4.7.28 Unusual rate, try again in 5 minutes"},
            ErrorOwner.THROTTLE,
            False,
            True,
            300,
        ),
    ],
    ids=str,
)
async def test_a_refusal(
    simulator: Simulator,
    fault: dict[str, object],
    owner: ErrorOwner,
    *,
    dead: bool,
    provider_wide: bool,
    retry_after: float | None,
) -> None:
    """What a refusal says about whom: the mailbox or the whole provider, for good or for a time."""
    await misbehave(simulator, fault)
    async with desk(config_for(simulator)) as sending:
        refused = await sending.refused()
    assert (refused.owner, refused.dead, refused.provider_wide) == (owner, dead, provider_wide)
    assert refused.retry_after == retry_after
    assert refused.detail.startswith(str(fault["smtp_code"]))
    assert await inbox(simulator) == []


@pytest.mark.parametrize("words", [b"5.1.1 F\xfcr \xff niemand", b"5.1.1 nul\0", b"5.1.1 " + b"x" * 4000])
async def test_a_servers_words_can_be_reported(words: bytes) -> None:
    """Whatever bytes a server says, its words can be kept and reported."""
    async with (
        rude_server(b"220 hi", b"250 hi", b"250 ok", b"550 " + words) as port,
        desk(config_at(port)) as sending,
    ):
        refused = await sending.refused()
    assert refused.owner is ErrorOwner.RECIPIENT
    assert refused.detail.startswith("550 5.1.1")


async def test_ping(simulator: Simulator) -> None:
    """A server that lets us in can be pinged; one that is not there cannot."""
    async with provider_of(config_for(simulator)) as provider:
        await provider.ping()
    async with provider_of(config_at(free_port())) as provider:
        with pytest.raises(SmtpError):
            await provider.ping()


async def test_it_takes_every_address(simulator: Simulator) -> None:
    """A mail server reaches the whole world, and does not fold a repeated email."""
    async with provider_of(config_for(simulator)) as provider:
        assert provider.takes("ada@example.com")
        assert not provider.idempotent
