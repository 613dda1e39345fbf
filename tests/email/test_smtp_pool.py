"""Kept SMTP connections, watched on the wire between provider and server."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from simulator.running import Simulator
from support.parcels import new_message, parcel_of, ready
from support.polling import eventually
from support.wire import Wire, wire_to
from tidings.contracts.codes import Channel, ErrorOwner
from tidings.contracts.templates import RenderedEmail
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.email.providers.smtp import SmtpProvider
from tidings.email.settings import EmailSettings


@pytest.fixture
async def wired(simulator: Simulator, settings: EmailSettings) -> AsyncIterator[tuple[SmtpProvider, Wire]]:
    """A provider with at most 3 connections, and the wire that they run over."""
    async with wire_to(simulator.smtp_port) as (wire, port):
        provider = SmtpProvider(msgspec.structs.replace(settings, smtp_port=port))
        yield provider, wire
        await provider.close()


async def send(provider: SmtpProvider, to: str = "ada@example.com") -> Answer:
    content = RenderedEmail(subject="Hi", text="Hi")
    return await provider.send(parcel_of(new_message(Channel.EMAIL), content, to), ready)


async def misbehave(simulator: Simulator, **fault: object) -> None:
    answer = await simulator.http.put("/api/faults", json=[{"provider": "smtp", "times": 1, **fault}])
    assert answer.status_code == 200, answer.text


async def total(simulator: Simulator) -> int:
    found: int = (await simulator.http.get("/api/inbox?bodies=false")).json()["total"]
    return found


async def test_a_connection_is_used_again(wired: tuple[SmtpProvider, Wire], simulator: Simulator) -> None:
    """Emails one after the other go over one connection."""
    provider, wire = wired
    for _ in range(20):
        assert isinstance(await send(provider), Taken)
    assert (wire.opened, await total(simulator)) == (1, 20)


async def test_there_are_never_more_than_the_limit(
    wired: tuple[SmtpProvider, Wire], simulator: Simulator
) -> None:
    """Emails at once share the connections there may be; all of them go out."""
    provider, wire = wired
    answers = await asyncio.gather(*(send(provider) for _ in range(60)))
    assert all(isinstance(answer, Taken) for answer in answers)
    assert (wire.opened, wire.most_open, await total(simulator)) == (3, 3, 60)


async def test_a_connection_is_retired(wired: tuple[SmtpProvider, Wire]) -> None:
    """After a hundred emails a connection has served; the next email gets a new one."""
    provider, wire = wired
    for _ in range(101):
        assert isinstance(await send(provider), Taken)
    assert wire.opened == 2
    await eventually(lambda: wire.open == 1)


async def test_a_lost_connection_is_replaced(wired: tuple[SmtpProvider, Wire]) -> None:
    """A connection that the server closed while it was idle is replaced before it can fail an email."""
    provider, wire = wired
    assert isinstance(await send(provider), Taken)
    wire.cut()
    await eventually(lambda: wire.open == 0)
    assert isinstance(await send(provider), Taken)
    assert wire.opened == 2


async def test_a_refusal_keeps_the_connection(wired: tuple[SmtpProvider, Wire], simulator: Simulator) -> None:
    """After 550 the same connection is reset and takes the next email."""
    provider, wire = wired
    await misbehave(simulator, smtp_code=550)
    assert isinstance(await send(provider), Refused)
    assert isinstance(await send(provider), Taken)
    assert (wire.opened, await total(simulator)) == (1, 1)


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
async def test_421_ends_the_connection(
    wired: tuple[SmtpProvider, Wire], simulator: Simulator, stage: str
) -> None:
    """After 421, which announces a closing server, the next email gets a new connection."""
    provider, wire = wired
    await misbehave(simulator, smtp_code=421, stage=stage)
    refused = await send(provider)
    assert isinstance(refused, Refused)
    assert refused.owner is ErrorOwner.OUTAGE
    assert isinstance(await send(provider), Taken)
    assert (wire.opened, await total(simulator)) == (2, 1)


async def test_an_email_that_was_given_up_leaves_a_clean_connection(
    wired: tuple[SmtpProvider, Wire], simulator: Simulator
) -> None:
    """Whoever stops before the body stops all of it: nothing arrives, and the next email is its own."""
    provider, _ = wired

    async def stop() -> None:
        raise LookupError("claimed by another")

    content = RenderedEmail(subject="Never", text="Never")
    parcel = parcel_of(new_message(Channel.EMAIL), content, "eve@example.com")
    with pytest.raises(LookupError):
        await provider.send(parcel, stop)
    assert isinstance(await send(provider), Taken)
    (email,) = (await simulator.http.get("/api/inbox")).json()["messages"]
    assert (email["to"], email["subject"]) == (["ada@example.com"], "Hi")


async def test_a_cancelled_email_gives_its_place_back(
    wired: tuple[SmtpProvider, Wire], simulator: Simulator
) -> None:
    """Sends that are cancelled in the middle leave room for the next ones."""
    provider, _ = wired
    await misbehave(simulator, latency_s=30, times=3)
    sending = [asyncio.create_task(send(provider)) for _ in range(3)]

    async def all_wait() -> bool:
        return bool((await simulator.http.get("/api/faults")).json()["faults"][0]["fired"] == 3)

    await eventually(all_wait)
    for task in sending:
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)
    assert all(isinstance(one, Taken) for one in await asyncio.gather(*(send(provider) for _ in range(3))))


async def test_closing_says_goodbye(wired: tuple[SmtpProvider, Wire]) -> None:
    """A closed provider leaves no connection open."""
    provider, wire = wired
    await asyncio.gather(*(send(provider) for _ in range(3)))
    await provider.close()
    await eventually(lambda: wire.open == 0)
