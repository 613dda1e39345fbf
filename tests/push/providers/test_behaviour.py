"""What every push provider does, whichever it is: one suite, run on each against the simulator."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from push.outside import fired, misbehave_as, pushes_to
from push.ways import ALL, Outside, Way, open_way
from simulator.running import Simulator
from support.parcels import new_message
from support.polling import eventually
from support.ports import free_port
from tidings.contracts.codes import Channel, ErrorOwner, Priority
from tidings.contracts.templates import RenderedAction, RenderedPush, StoredManner
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.kit.ids import now
from tidings.push.parcel import Urgency

RICH = RenderedPush(
    title="Grüße 🎉",
    body="Da",
    image="https://e.example/i.png",
    link="https://e.example/7",
    badge=3,
    collapse_key="orders",
    actions=[RenderedAction(id="open", title="Öffnen", link="https://e.example/7")],
    data={"order": "7"},
    manner=StoredManner(sound="default", urgency="high"),
)


@pytest.fixture(params=ALL)
async def way(request: pytest.FixtureRequest, outside: Outside) -> AsyncIterator[Way]:
    """Each provider in turn."""
    async with open_way(request.param, outside) as way:
        yield way


def refused(answer: Answer) -> Refused:
    assert isinstance(answer, Refused), answer
    return answer


async def connected(way: Way) -> None:
    """Wait until a push is taken in time: of the next one only the answer can be late."""

    async def taken() -> bool:
        return isinstance(await way.send(), Taken)

    await eventually(taken)


class Claims:
    """Counts how often a provider asked whether it may send."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self) -> None:
        self.count += 1


async def test_a_push_arrives(way: Way, simulator: Simulator) -> None:
    """The device gets title and body, and the provider's name for the push is kept."""
    device = await way.device()
    taken = await way.send(to=device)
    assert isinstance(taken, Taken), taken
    (push,) = await pushes_to(simulator, device.token)
    text = msgspec.json.encode(push["message"]).decode()
    assert push["provider"] == taken.provider == way.kind
    assert push["name"] in (taken.provider_ref or "")
    assert "Grüße" in text
    assert "An order is here" in text


async def test_everything_that_a_template_can_say(way: Way, simulator: Simulator) -> None:
    """Image, link, buttons, data, badge, sound and collapse key are taken, and reach the device."""
    device = await way.device()
    assert isinstance(await way.send(RICH, to=device), Taken)
    (push,) = await pushes_to(simulator, device.token)
    text = msgspec.json.encode(push["message"]).decode()
    for said in ("Grüße 🎉", "https://e.example/i.png", "https://e.example/7", "Öffnen"):
        assert said in text


@pytest.mark.parametrize("content", [RICH, RenderedPush(title="Only a title")], ids=["rich", "poor"])
@pytest.mark.parametrize("urgency", ["very-low", "low", "normal", "high"])
async def test_every_manner_is_taken(way: Way, content: RenderedPush, urgency: Urgency) -> None:
    """Whatever its urgency, shown or silent, the provider takes the push."""
    for silent in (False, True):
        manner = StoredManner(urgency=urgency, silent=silent)
        expiring = new_message(
            Channel.PUSH, priority=Priority.CRITICAL, expires_at=now() + timedelta(minutes=5)
        )
        pushed = msgspec.structs.replace(content, manner=manner)
        assert isinstance(await way.send(pushed), Taken)
        assert isinstance(await way.send(pushed, message=expiring), Taken)


async def test_it_asks_once_before_it_sends(way: Way) -> None:
    """The claim comes once per send, and not at all for what can be refused without the provider."""
    claims = Claims()
    assert isinstance(await way.send(before_body=claims), Taken)
    assert claims.count == 1
    await way.send(to=way.malformed, before_body=claims)
    await way.send(RenderedPush(title="x" * 5_000), before_body=claims)
    assert claims.count == 1


async def test_a_claim_that_is_not_granted(way: Way, simulator: Simulator) -> None:
    """Nothing leaves when the pipeline stops the provider at the last moment."""

    class Stopped(Exception):
        """Another worker has it."""

    async def stop() -> None:
        raise Stopped

    device = await way.device()
    with pytest.raises(Stopped):
        await way.send(to=device, before_body=stop)
    assert await pushes_to(simulator, device.token) == []


async def test_a_dead_device(way: Way) -> None:
    """A device that the provider knows to be gone is the recipient's affair, and is dead for good."""
    answer = refused(await way.send(to=await way.dead()))
    assert (answer.owner, answer.dead) == (ErrorOwner.RECIPIENT, True)


async def test_what_cannot_be_a_device(way: Way) -> None:
    """A token that has not the provider's form is refused without asking it, and is dead."""
    answer = refused(await way.send(to=way.malformed))
    assert (answer.owner, answer.dead) == (ErrorOwner.RECIPIENT, True)


async def test_other_providers_devices(way: Way, outside: Outside) -> None:
    """A provider takes its own devices and no other's."""
    for kind in ALL:
        async with open_way(kind, outside) as other:
            assert way.provider.takes(await other.device()) == (kind == way.kind)


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("wait", [7, None])
async def test_not_now(way: Way, simulator: Simulator, status: int, wait: int | None) -> None:
    """Limits and outages are told apart, and a wait that the provider asks for is kept."""
    asked = {} if wait is None else {"retry_after": wait}
    await misbehave_as(simulator, way.kind, status=status, **asked)
    answer = refused(await way.send())
    assert answer.owner is (ErrorOwner.THROTTLE if status == 429 else ErrorOwner.OUTAGE)
    assert not answer.dead
    if wait is not None:
        assert answer.retry_after == wait


@pytest.mark.parametrize("status", [401, 403])
async def test_our_own_fault(way: Way, simulator: Simulator, status: int) -> None:
    """A credential that does not fit is ours to mend: no device is to blame."""
    await misbehave_as(simulator, way.kind, status=status)
    answer = refused(await way.send())
    assert (answer.owner, answer.dead) == (ErrorOwner.CREDENTIAL, False)


async def test_an_answer_that_was_lost(way: Way, simulator: Simulator) -> None:
    """The push is out and no answer came: it may have arrived, and here it has."""
    device = await way.device()
    await misbehave_as(simulator, way.kind, drop_response=True)
    assert refused(await way.send(to=device)).owner is ErrorOwner.AMBIGUOUS
    assert len(await pushes_to(simulator, device.token)) == 1


async def test_a_connection_that_was_lost(way: Way, simulator: Simulator) -> None:
    """A connection that breaks after the push went out tells nothing: that is ambiguous too."""
    await misbehave_as(simulator, way.kind, drop_connection=True)
    assert refused(await way.send()).owner is ErrorOwner.AMBIGUOUS


async def test_an_answer_that_takes_too_long(way: Way, simulator: Simulator, outside: Outside) -> None:
    """An answer later than the time limit is lost."""
    async with open_way(way.kind, outside, seconds=2) as hurried:
        await connected(hurried)
        await misbehave_as(simulator, way.kind, latency_s=8)
        assert refused(await hurried.send()).owner is ErrorOwner.AMBIGUOUS


@pytest.mark.parametrize("kind", ["fcm", "webpush", "onesignal", "expo"])
async def test_an_answer_that_drips(simulator: Simulator, outside: Outside, kind: str) -> None:
    """The time limit is for the whole answer, however many bytes of it have come."""
    async with open_way(kind, outside, seconds=2) as way:
        await connected(way)
        await misbehave_as(simulator, kind, slow_answer_s=8)
        assert refused(await way.send()).owner is ErrorOwner.AMBIGUOUS


@pytest.mark.parametrize("kind", ["fcm", "onesignal", "expo"])
async def test_an_answer_that_cannot_be_read(simulator: Simulator, outside: Outside, kind: str) -> None:
    """A success with broken JSON may be one."""
    async with open_way(kind, outside) as way:
        await misbehave_as(simulator, kind, malformed_answer=True)
        assert refused(await way.send()).owner is ErrorOwner.AMBIGUOUS


@pytest.mark.parametrize("kind", ["fcm", "apns", "onesignal", "expo"])
async def test_a_provider_that_is_down(outside: Outside, kind: str) -> None:
    """What cannot be reached has got nothing: that is an outage, and safe to repeat."""
    async with open_way(kind, outside, url=f"http://127.0.0.1:{free_port()}") as way:
        assert refused(await way.send()).owner is ErrorOwner.OUTAGE


async def test_a_push_that_is_too_large(way: Way, simulator: Simulator) -> None:
    """It is refused before it is sent, with its size and the provider's."""
    device = await way.device()
    answer = refused(await way.send(RenderedPush(title="Hi", body="ö" * 3_000), to=device))
    assert answer.owner is ErrorOwner.CONTENT
    assert "bytes" in answer.detail
    assert await pushes_to(simulator, device.token) == []


async def test_a_push_that_may_be_shortened(way: Way, simulator: Simulator) -> None:
    """Where the template allows it, the body is cut to what the provider takes."""
    device = await way.device()
    long = RenderedPush(title="Hi", body="ö" * 3_000, manner=StoredManner(shorten=True))
    assert isinstance(await way.send(long, to=device), Taken)
    (push,) = await pushes_to(simulator, device.token)
    text = msgspec.json.encode(push["message"]).decode()
    assert 1_000 < text.count("ö") < 3_000
    assert "ö…" in text


async def test_a_title_alone_may_be_too_large(way: Way) -> None:
    """What remains without the body still has to fit: titles are not cut."""
    long = RenderedPush(title="ö" * 3_000, body="b", manner=StoredManner(shorten=True))
    assert refused(await way.send(long)).owner is ErrorOwner.CONTENT


async def test_the_same_push_again(way: Way, simulator: Simulator) -> None:
    """Only a provider that says so recognises a repeated push."""
    device, message = await way.device(), new_message(Channel.PUSH)
    for _ in range(2):
        assert isinstance(await way.send(to=device, message=message), Taken)
    assert len(await pushes_to(simulator, device.token)) == (1 if way.provider.idempotent else 2)


async def test_many_at_once(way: Way, simulator: Simulator) -> None:
    """A burst of pushes is answered one by one, each with its own answer."""
    device = await way.device()
    await misbehave_as(simulator, way.kind, status=503, times=5)
    answers = await asyncio.gather(*(way.send(to=device) for _ in range(20)))
    assert sum(isinstance(answer, Taken) for answer in answers) == 15
    assert await fired(simulator) == [5]


async def test_ping(way: Way) -> None:
    """A provider that is there can be pinged."""
    await way.provider.ping()
