"""Expo: what it is asked, and what its tickets say."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web

from push.answers import answering
from push.outside import pushes_to
from push.ways import Outside, Way, device, open_way
from simulator.running import Simulator
from support.parcels import new_message
from tidings.contracts.codes import Channel, ErrorOwner
from tidings.contracts.templates import RenderedPush, StoredManner
from tidings.delivery.outcome import Refused, Taken
from tidings.kit.ids import now
from tidings.push.providers.expo import MAX_TTL_SECONDS


@pytest.fixture
async def way(outside: Outside) -> AsyncIterator[Way]:
    async with open_way("expo", outside) as way:
        yield way


async def test_a_push_is_as_expo_documents_it(way: Way, simulator: Simulator) -> None:
    """Each field goes where the documentation puts it."""
    target = await way.device()
    content = RenderedPush(
        title="Grüße",
        body="Da",
        image="https://e.example/i.png",
        badge=3,
        data={"order": "7"},
        manner=StoredManner(sound="default", urgency="high"),
    )
    assert isinstance(await way.send(content, to=target), Taken)
    (push,) = await pushes_to(simulator, target.token)
    assert push["message"].pop("data")["order"] == "7"
    assert push["message"] == {
        "to": target.token,
        "title": "Grüße",
        "body": "Da",
        "sound": "default",
        "badge": 3,
        "ttl": MAX_TTL_SECONDS,
        "priority": "high",
        "interruptionLevel": "time-sensitive",
        "richContent": {"image": "https://e.example/i.png"},
        "mutableContent": True,
    }


async def test_it_lives_no_longer_than_the_notification(way: Way, simulator: Simulator) -> None:
    """The time to live is what is left until `expires_at`; without one Expo keeps nothing for Apple's."""
    target = await way.device()
    await way.send(to=target, message=new_message(Channel.PUSH, expires_at=now() + timedelta(hours=1)))
    (push,) = await pushes_to(simulator, target.token)
    assert 3_500 < push["message"]["ttl"] <= 3_600


@pytest.mark.parametrize(
    ("inside", "owner", "dead", "wide"),
    [
        ("dead", ErrorOwner.RECIPIENT, True, True),
        ("rate", ErrorOwner.THROTTLE, False, False),
        ("mismatch", ErrorOwner.CREDENTIAL, False, False),
        ("credentials", ErrorOwner.CREDENTIAL, False, True),
    ],
)
async def test_each_error_of_a_ticket_has_an_owner(
    way: Way, inside: str, owner: ErrorOwner, *, dead: bool, wide: bool
) -> None:
    """The ticket's error decides who has to act, and whether it is about one device."""
    answer = await way.send(to=device("expo", f"ExponentPushToken[{inside}-0000]"))
    assert isinstance(answer, Refused)
    assert (answer.owner, answer.dead, answer.provider_wide) == (owner, dead, wide)


@pytest.mark.parametrize(
    ("body", "owner"),
    [
        ({"data": {"status": "error", "message": "?", "details": {"error": "New"}}}, ErrorOwner.CONTENT),
        ({"data": {"status": "error", "message": "?"}}, ErrorOwner.CONTENT),
        ({"data": {"status": "perhaps"}}, ErrorOwner.AMBIGUOUS),
        ({"data": []}, ErrorOwner.AMBIGUOUS),
        ({}, ErrorOwner.AMBIGUOUS),
        ({"errors": [{"code": "PUSH_TOO_MANY_EXPERIENCE_IDS", "message": "?"}]}, ErrorOwner.CONTENT),
        ({"errors": [{"code": "TOO_MANY_REQUESTS", "message": "?"}]}, ErrorOwner.THROTTLE),
        ({"errors": [{"code": "UNAUTHORIZED", "message": "?"}]}, ErrorOwner.CREDENTIAL),
    ],
    ids=str,
)
async def test_other_answers(outside: Outside, body: object, owner: ErrorOwner) -> None:
    """Errors of the whole request, and answers that are neither yes nor no."""
    async with answering(web.json_response(body)) as url, open_way("expo", outside, url=url) as way:
        answer = await way.send()
    assert isinstance(answer, Refused)
    assert (answer.owner, answer.dead) == (owner, False)


async def test_a_wrong_access_token(outside: Outside) -> None:
    """A token that Expo does not know is ours to mend."""
    async with open_way("expo", outside, access_token="another") as way:
        answer = await way.send()
    assert isinstance(answer, Refused)
    assert answer.owner is ErrorOwner.CREDENTIAL


async def test_without_an_access_token(outside: Outside) -> None:
    """A project without enhanced security needs none."""
    async with open_way("expo", outside, access_token=None) as way:
        assert isinstance(await way.send(), Taken)


@pytest.mark.parametrize(
    "token",
    ["ExponentPushToken[a]", "ExpoPushToken[a-b_c]", "01234567-89ab-cdef-0123-456789abcdef"],
)
async def test_the_forms_of_a_token(outside: Outside, token: str) -> None:
    """Expo has had three forms of token, and takes them all."""
    taken = web.json_response({"data": {"status": "ok", "id": "1"}})
    async with answering(taken) as url, open_way("expo", outside, url=url) as way:
        assert isinstance(await way.send(to=device("expo", token)), Taken)
