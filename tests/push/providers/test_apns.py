"""APNs: its headers, its reasons, its tokens, and its connections that end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from push.outside import fired, pushes_to
from push.ways import CONTENT, Outside, Way, device, open_way
from simulator.running import Simulator
from support.parcels import new_message
from support.ports import free_port
from tidings.contracts.codes import Channel, ErrorOwner
from tidings.contracts.templates import RenderedPush, StoredManner
from tidings.contracts.users import PushToken
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.kit.ids import now
from tidings.push.providers.apns.environment import MANY


@pytest.fixture
async def way(outside: Outside) -> AsyncIterator[Way]:
    async with open_way("apns", outside) as way:
        yield way


async def misbehave(simulator: Simulator, *faults: dict[str, object]) -> None:
    answer = await simulator.http.put("/api/faults", json=[{"provider": "apns", **fault} for fault in faults])
    assert answer.status_code == 200, answer.text


def refused(answer: Answer) -> Refused:
    assert isinstance(answer, Refused), answer
    return answer


def unknown(prefix: str = "bad0") -> PushToken:
    """A device of another environment, or of another app."""
    return device("apns", f"{prefix}{'0' * 60}")


async def test_a_push_is_as_apple_documents_it(way: Way, simulator: Simulator) -> None:
    """Headers and payload are where Apple's pages put them."""
    target, moment = await way.device(), now() + timedelta(hours=1)
    message = new_message(Channel.PUSH, expires_at=moment)
    content = RenderedPush(
        title="Grüße",
        body="Da",
        image="https://e.example/i.png",
        link="https://e.example/7",
        badge=3,
        data={"order": "7"},
        manner=StoredManner(sound="default", urgency="high"),
    )
    taken = await way.send(content, to=target, message=message)
    (push,) = await pushes_to(simulator, target.token)
    notification_id = str(message.notification_id)
    assert isinstance(taken, Taken)
    assert push["message"] == {
        "headers": {
            "apns-id": taken.provider_ref,
            "apns-topic": "com.example.app",
            "apns-push-type": "alert",
            "apns-priority": "10",
            "apns-expiration": str(int(moment.timestamp())),
            "apns-collapse-id": notification_id,
        },
        "payload": {
            "aps": {
                "alert": {"title": "Grüße", "body": "Da"},
                "badge": 3,
                "sound": "default",
                "interruption-level": "time-sensitive",
                "mutable-content": 1,
            },
            "order": "7",
            "image": "https://e.example/i.png",
            "link": "https://e.example/7",
            "notification_id": notification_id,
        },
    }
    assert str(UUID(taken.provider_ref)) == taken.provider_ref


async def test_a_silent_push(way: Way, simulator: Simulator) -> None:
    """A push that only wakes the app is of the type and priority that Apple demands for it."""
    target = await way.device()
    silent = RenderedPush(title="Hi", badge=1, manner=StoredManner(silent=True, urgency="high", sound="a"))
    assert isinstance(await way.send(silent, to=target), Taken)
    (push,) = await pushes_to(simulator, target.token)
    headers, payload = push["message"]["headers"], push["message"]["payload"]
    assert (headers["apns-push-type"], headers["apns-priority"]) == ("background", "5")
    assert payload["aps"] == {"content-available": 1}


async def test_a_long_collapse_key(way: Way, simulator: Simulator) -> None:
    """Apple takes 64 bytes: longer keys become 64 that are the same for the same key, and for it alone."""
    target = await way.device()
    for key in ("x" * 65, "x" * 65, "x" * 66, "x" * 64):
        await way.send(RenderedPush(title="Hi", collapse_key=key), to=target)
    ids = [
        push["message"]["headers"]["apns-collapse-id"] for push in await pushes_to(simulator, target.token)
    ]
    assert ids[0] == "x" * 64
    assert ids[2] == ids[3]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("key", ["two\r\nlines: x", "grün", " ", "a b", "\x00"])
async def test_a_collapse_key_that_is_no_header(way: Way, simulator: Simulator, key: str) -> None:
    """Whatever a template makes of its collapse key, it cannot break out of its header."""
    target = await way.device()
    assert isinstance(await way.send(RenderedPush(title="Hi", collapse_key=key), to=target), Taken)
    (push,) = await pushes_to(simulator, target.token)
    headers = push["message"]["headers"]
    assert len(headers["apns-collapse-id"]) == 64
    assert "lines" not in headers


@pytest.mark.parametrize(
    ("fault", "owner", "wide"),
    [
        ({"status": 400, "reason": "TopicDisallowed"}, ErrorOwner.CREDENTIAL, True),
        ({"status": 400, "reason": "BadTopic"}, ErrorOwner.CREDENTIAL, True),
        ({"status": 400, "reason": "BadPriority"}, ErrorOwner.CONTENT, True),
        ({"status": 400, "reason": "IdleTimeout"}, ErrorOwner.OUTAGE, True),
        ({"status": 403, "reason": "InvalidProviderToken"}, ErrorOwner.CREDENTIAL, True),
        ({"status": 404}, ErrorOwner.CREDENTIAL, True),
        ({"status": 413}, ErrorOwner.CONTENT, True),
        ({"status": 429, "reason": "TooManyRequests"}, ErrorOwner.THROTTLE, False),
        ({"status": 429, "reason": "TooManyProviderTokenUpdates"}, ErrorOwner.THROTTLE, True),
        ({"status": 503, "reason": "Shutdown"}, ErrorOwner.OUTAGE, True),
    ],
    ids=str,
)
async def test_each_reason_has_an_owner(
    way: Way, simulator: Simulator, fault: dict[str, object], owner: ErrorOwner, *, wide: bool
) -> None:
    """Apple's reason decides who has to act, and whether it is about one device."""
    await misbehave(simulator, fault)
    answer = refused(await way.send())
    assert (answer.owner, answer.provider_wide, answer.dead) == (owner, wide, False)
    assert str(fault.get("reason", "")) in answer.detail


async def test_an_expired_provider_token_is_signed_anew_once(way: Way, simulator: Simulator) -> None:
    """One ExpiredProviderToken costs a signature; if the next is expired too, the credential is at fault."""
    expired = {"status": 403, "reason": "ExpiredProviderToken"}
    await misbehave(simulator, {**expired, "times": 1})
    assert isinstance(await way.send(), Taken)
    await misbehave(simulator, expired)
    assert refused(await way.send()).owner is ErrorOwner.CREDENTIAL
    assert await fired(simulator) == [1]


@pytest.mark.parametrize("prefix", ["bad0", "0dd0"])
async def test_a_bad_token_among_good_ones_is_dead(way: Way, prefix: str) -> None:
    """Where Apple knows our other devices, a token it does not know is of no use."""
    assert isinstance(await way.send(), Taken)
    answer = refused(await way.send(to=unknown(prefix)))
    assert (answer.owner, answer.dead) == (ErrorOwner.RECIPIENT, True)


@pytest.mark.parametrize("prefix", ["bad0", "0dd0"])
async def test_the_wrong_environment_removes_no_device(way: Way, prefix: str) -> None:
    """When Apple knows none of our tokens, the settings are suspect, and every device stays."""
    answers = [refused(await way.send(to=unknown(prefix))) for _ in range(MANY + 1)]
    assert not any(answer.dead for answer in answers)
    assert [answer.owner for answer in answers[:2]] == [ErrorOwner.RECIPIENT] * 2
    assert answers[-1].owner is ErrorOwner.CREDENTIAL
    assert "environment `production`" in answers[-1].detail
    assert isinstance(await way.send(), Taken)
    assert refused(await way.send(to=unknown(prefix))).dead


async def test_a_token_that_was_registered_again(way: Way, simulator: Simulator) -> None:
    """Unregistered before the app registered the same token again: the device stays."""
    target = msgspec.structs.replace(await way.dead(), last_seen=now() + timedelta(hours=1))
    answer = refused(await way.send(to=target))
    assert (answer.owner, answer.dead) == (ErrorOwner.RECIPIENT, False)
    assert await pushes_to(simulator, target.token) == []


async def test_a_connection_closed_before_the_request_was_taken(way: Way, simulator: Simulator) -> None:
    """GOAWAY that leaves our request out: nothing can have arrived, so it is an outage."""
    target = await way.device()
    await misbehave(simulator, {"goaway": "unprocessed"})
    assert refused(await way.send(to=target)).owner is ErrorOwner.OUTAGE
    assert await pushes_to(simulator, target.token) == []


async def test_a_request_that_the_server_left_out_goes_out_again(way: Way, simulator: Simulator) -> None:
    """On a connection that was in use, a request left out by GOAWAY takes the next one, and arrives once."""
    target = await way.device()
    assert isinstance(await way.send(to=target), Taken)
    await misbehave(simulator, {"goaway": "unprocessed", "times": 1})
    assert isinstance(await way.send(to=target), Taken)
    assert len(await pushes_to(simulator, target.token)) == 2


async def test_a_connection_closed_after_the_request_was_taken(way: Way, simulator: Simulator) -> None:
    """GOAWAY that includes our request, and no answer: it may have arrived, and here it has."""
    target = await way.device()
    await misbehave(simulator, {"goaway": "processed", "times": 1})
    assert refused(await way.send(to=target)).owner is ErrorOwner.AMBIGUOUS
    assert len(await pushes_to(simulator, target.token)) == 1
    assert isinstance(await way.send(to=target), Taken)


async def test_a_server_that_is_taken_out_of_service(way: Way, simulator: Simulator) -> None:
    """GOAWAY with answers still to come: each push is answered there or sent anew, and arrives once."""
    target = await way.device()
    for _ in range(3):
        await misbehave(simulator, {"goaway": "graceful", "times": 1})
        answers = await asyncio.gather(*(way.send(to=target) for _ in range(20)))
        assert [type(answer) for answer in answers] == [Taken] * 20
        assert await fired(simulator) == [1]
    assert len(await pushes_to(simulator, target.token)) == 60


async def test_more_pushes_than_the_server_takes_at_once(way: Way, simulator: Simulator) -> None:
    """Beyond what the server allows side by side, pushes wait for their turn."""
    target = await way.device()
    answers = await asyncio.gather(*(way.send(to=target) for _ in range(300)))
    assert [type(answer) for answer in answers] == [Taken] * 300
    assert len(await pushes_to(simulator, target.token)) == 300


async def test_a_slow_answer_holds_up_no_other(simulator: Simulator, outside: Outside) -> None:
    """One answer that never comes is lost alone: the others are taken, and so is the next."""
    async with open_way("apns", outside, seconds=10) as way:
        slow, quick = await way.device(), await way.device()
        await misbehave(simulator, {"latency_s": 60, "match": slow.token})
        lost, *others = await asyncio.gather(way.send(to=slow), *(way.send(to=quick) for _ in range(10)))
        assert refused(lost).owner is ErrorOwner.AMBIGUOUS
        assert [type(answer) for answer in others] == [Taken] * 10
        assert isinstance(await way.send(to=quick), Taken)


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 100, b""])
async def test_what_speaks_no_http_2(outside: Outside, said: bytes) -> None:
    """A server that is none is an outage: nothing was sent to it."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()
        await writer.wait_closed()

    port = free_port()
    async with (
        await asyncio.start_server(talk, "127.0.0.1", port),
        open_way("apns", outside, url=f"http://127.0.0.1:{port}", seconds=2) as way,
    ):
        assert refused(await way.send()).owner is ErrorOwner.OUTAGE


async def test_a_server_that_says_nothing(outside: Outside) -> None:
    """A server that takes the connection and never greets is an outage too."""

    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    port = free_port()
    async with (
        await asyncio.start_server(keep_silent, "127.0.0.1", port),
        open_way("apns", outside, url=f"http://127.0.0.1:{port}", seconds=0.5) as way,
    ):
        assert refused(await way.send()).owner is ErrorOwner.OUTAGE


@pytest.mark.parametrize("content", [None, b"", b"no key"], ids=["missing", "empty", "no key"])
async def test_a_key_file_that_is_none(outside: Outside, tmp_path: Path, content: bytes | None) -> None:
    """Without a usable key the credential is at fault; the words name the file, which is read once mended."""
    file = tmp_path / "key.p8"
    if content is not None:
        file.write_bytes(content)
    async with open_way("apns", outside, key_file=str(file)) as way:
        answer = refused(await way.send())
        assert answer.owner is ErrorOwner.CREDENTIAL
        assert str(file) in answer.detail
        file.write_bytes(outside.apns_key_file.read_bytes())
        assert isinstance(await way.send(CONTENT), Taken)


async def test_a_key_of_another_team(outside: Outside) -> None:
    """Apple refuses a signature of another team's, and no device is to blame."""
    async with open_way("apns", outside, team_id="OTHERTEAM1") as way:
        answer = refused(await way.send())
    assert (answer.owner, answer.dead) == (ErrorOwner.CREDENTIAL, False)
    assert "InvalidProviderToken" in answer.detail
