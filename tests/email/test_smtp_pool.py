"""Kept SMTP connections, watched on the wire between provider and server."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from simulator.running import Simulator
from support.parcels import ready
from support.polling import eventually
from support.ports import free_port
from support.smtp_desk import config_at, config_for, email, inbox, misbehave, provider_of
from support.wire import Wire, wire_to
from tidings.contracts.codes import ErrorOwner
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.email.providers.smtp import SmtpProvider


@pytest.fixture
async def wired(simulator: Simulator) -> AsyncIterator[tuple[SmtpProvider, Wire]]:
    """A provider with at most 3 connections, and the wire that they run over."""
    async with (
        wire_to(simulator.smtp_port) as (wire, port),
        provider_of(config_for(simulator, port=port), name="wired") as provider,
    ):
        yield provider, wire


async def send(provider: SmtpProvider, to: str = "ada@example.com") -> Answer:
    return await provider.send(email(to), ready)


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


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
    await misbehave(simulator, {"smtp_code": 550, "times": 1})
    assert isinstance(await send(provider), Refused)
    assert isinstance(await send(provider), Taken)
    assert (wire.opened, await total(simulator)) == (1, 1)


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
async def test_421_ends_the_connection(
    wired: tuple[SmtpProvider, Wire], simulator: Simulator, stage: str
) -> None:
    """After 421, which announces a closing server, the next email gets a new connection."""
    provider, wire = wired
    await misbehave(simulator, {"smtp_code": 421, "stage": stage, "times": 1})
    refused = await send(provider)
    assert isinstance(refused, Refused)
    assert refused.owner is ErrorOwner.OUTAGE
    assert isinstance(await send(provider), Taken)
    assert (wire.opened, await total(simulator)) == (2, 1)


async def test_an_email_that_was_given_up_leaves_a_clean_connection(
    wired: tuple[SmtpProvider, Wire], simulator: Simulator
) -> None:
    """Whoever stops before the body stops all of it: nothing arrives, and the next email is its own."""
    provider, wire = wired

    async def stop() -> None:
        raise LookupError("claimed by another")

    with pytest.raises(LookupError):
        await provider.send(email("eve@example.com"), stop)
    assert isinstance(await send(provider), Taken)
    assert [arrived["to"] for arrived in await inbox(simulator)] == [["ada@example.com"]]
    assert wire.opened == 1


async def test_a_cancelled_email_gives_its_place_back(
    wired: tuple[SmtpProvider, Wire], simulator: Simulator
) -> None:
    """Sends that are cancelled in the middle leave room for the next ones."""
    provider, _ = wired
    await misbehave(simulator, {"latency_s": 30, "times": 3})
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


async def test_an_email_under_way_at_the_end_is_finished(
    wired: tuple[SmtpProvider, Wire], simulator: Simulator
) -> None:
    """Closing lets an email that is under way finish, and keeps its connection no longer."""
    provider, wire = wired
    await misbehave(simulator, {"latency_s": 0.5})
    sending = asyncio.create_task(send(provider))
    await eventually(lambda: wire.open == 1)
    await provider.close()
    assert isinstance(await sending, Taken)
    await eventually(lambda: wire.open == 0)


async def test_the_pool_is_in_the_metrics(wired: tuple[SmtpProvider, Wire]) -> None:
    """Connections open and in use, emails that wait for one, and attempts to connect are counted."""
    provider, wire = wired

    def shows(state: str, number: int) -> bool:
        return sample("tidings_smtp_connections", provider="wired", state=state) == number

    claims = asyncio.Event()

    async def claim() -> None:
        await claims.wait()

    before = sample("tidings_smtp_connects_total", provider="wired", outcome="ok")
    sending = [asyncio.create_task(provider.send(email(), claim)) for _ in range(5)]
    await eventually(lambda: shows("open", 3) and shows("in_use", 3) and shows("waiting", 2))
    claims.set()
    await asyncio.gather(*sending)
    assert sample("tidings_smtp_connects_total", provider="wired", outcome="ok") == before + 3
    assert (wire.opened, shows("open", 3), shows("in_use", 0), shows("waiting", 0)) == (3, True, True, True)
    await provider.close()
    assert shows("open", 0)


async def test_failed_connections_are_counted() -> None:
    """A server that cannot be reached shows in the metrics, and leaves no connection behind."""
    async with provider_of(config_at(free_port()), name="absent") as provider:
        for _ in range(2):
            assert isinstance(await send(provider), Refused)
    assert sample("tidings_smtp_connects_total", provider="absent", outcome="failed") == 2
    assert sample("tidings_smtp_connections", provider="absent", state="open") == 0
