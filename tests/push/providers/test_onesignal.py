"""OneSignal: what it is asked, and the four shapes in which it says that something is wrong."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from aiohttp import web

from push.answers import answering
from push.outside import misbehave_as, pushes_to
from push.ways import Outside, Way, device, open_way
from simulator.running import Simulator
from support.parcels import new_message
from tidings.contracts.codes import Channel, ErrorOwner
from tidings.contracts.templates import RenderedAction, RenderedPush, StoredManner
from tidings.delivery.outcome import Refused, Taken

TOKEN = "a1b2c3d4-0000-4000-8000-000000000001"


@pytest.fixture
async def way(outside: Outside) -> AsyncIterator[Way]:
    async with open_way("onesignal", outside) as way:
        yield way


async def test_a_push_is_as_onesignal_documents_it(way: Way, simulator: Simulator) -> None:
    """Each field goes where the reference puts it, under a key that is the same for a repeat."""
    target, message = await way.device(), new_message(Channel.PUSH)
    content = RenderedPush(
        title="Grüße",
        body="Da",
        image="https://e.example/i.png",
        link="https://e.example/7",
        badge=3,
        collapse_key="orders",
        actions=[RenderedAction(id="open", title="Öffnen")],
        data={"order": "7"},
        manner=StoredManner(sound="chime.wav", urgency="high"),
    )
    assert isinstance(await way.send(content, to=target, message=message), Taken)
    (push,) = await pushes_to(simulator, target.token)
    sent = push["message"]
    assert UUID(sent.pop("idempotency_key")).version == 5
    assert sent.pop("data")["order"] == "7"
    assert sent == {
        "app_id": push["project"],
        "include_subscription_ids": [target.token],
        "target_channel": "push",
        "priority": 10,
        "collapse_id": "orders",
        "headings": {"en": "Grüße"},
        "contents": {"en": "Da"},
        "url": "https://e.example/7",
        "big_picture": "https://e.example/i.png",
        "chrome_web_image": "https://e.example/i.png",
        "ios_attachments": {"image": "https://e.example/i.png"},
        "ios_badgeType": "SetTo",
        "ios_badgeCount": 3,
        "ios_sound": "chime.wav",
        "buttons": [{"id": "open", "text": "Öffnen"}],
    }


async def test_a_repeat_after_a_lost_answer(way: Way, simulator: Simulator) -> None:
    """The answer was lost and the push repeated: OneSignal knows the key, and the device gets one push."""
    target, message = await way.device(), new_message(Channel.PUSH)
    await misbehave_as(simulator, "onesignal", drop_response=True, times=1)
    lost = await way.send(to=target, message=message)
    assert isinstance(lost, Refused)
    assert lost.owner is ErrorOwner.AMBIGUOUS
    assert isinstance(await way.send(to=target, message=message), Taken)
    assert len(await pushes_to(simulator, target.token)) == 1


async def test_a_person_who_switched_pushes_off(way: Way) -> None:
    """200 with an empty id is no success; the subscription may be switched on again, so it stays."""
    answer = await way.send(to=device("onesignal", f"0ff0{str(uuid4())[4:]}"))
    assert isinstance(answer, Refused)
    assert (answer.owner, answer.dead) == (ErrorOwner.RECIPIENT, False)
    assert "not subscribed" in answer.detail


async def test_another_app(outside: Outside) -> None:
    """An app that OneSignal does not know is answered 400, and is the operator's to mend."""
    async with open_way("onesignal", outside, app_id=str(uuid4())) as way:
        answer = await way.send()
    assert isinstance(answer, Refused)
    assert answer.owner is ErrorOwner.CREDENTIAL
    assert "app_id not found" in answer.detail


@pytest.mark.parametrize(
    ("body", "owner", "dead"),
    [
        ({"id": "", "errors": ["All included players are not subscribed"]}, ErrorOwner.RECIPIENT, False),
        ({"id": "", "errors": {"invalid_player_ids": [TOKEN]}}, ErrorOwner.RECIPIENT, True),
        ({"id": "x", "errors": {"invalid_player_ids": [TOKEN]}}, ErrorOwner.RECIPIENT, True),
        ({"id": "", "errors": {"invalid_player_ids": ["another"]}}, ErrorOwner.RECIPIENT, False),
        ({"id": "", "errors": {"invalid_aliases": {"onesignal_id": [TOKEN]}}}, ErrorOwner.RECIPIENT, True),
        ({"id": "", "errors": [{"code": "x", "title": "No"}]}, ErrorOwner.RECIPIENT, False),
        ({"id": ""}, ErrorOwner.RECIPIENT, False),
        ({}, ErrorOwner.RECIPIENT, False),
        ([], ErrorOwner.AMBIGUOUS, False),
        ("yes", ErrorOwner.AMBIGUOUS, False),
    ],
    ids=str,
)
async def test_each_shape_of_errors(outside: Outside, body: object, owner: ErrorOwner, *, dead: bool) -> None:
    """However OneSignal says it: only a subscription that it names as invalid is dead."""
    async with answering(web.json_response(body)) as url, open_way("onesignal", outside, url=url) as way:
        answer = await way.send(to=device("onesignal", TOKEN))
    assert isinstance(answer, Refused)
    assert (answer.owner, answer.dead) == (owner, dead)


async def test_a_repeat_that_comes_too_early(outside: Outside) -> None:
    """409: the first request with this key is still under way, so nothing is known yet."""
    early = web.json_response({"errors": ["in progress"]}, status=409)
    async with answering(early) as url, open_way("onesignal", outside, url=url) as way:
        answer = await way.send()
    assert isinstance(answer, Refused)
    assert answer.owner is ErrorOwner.AMBIGUOUS
