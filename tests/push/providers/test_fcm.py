"""The FCM provider: what it sends, and what it makes of each of Google's answers."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from push.outside import fired, misbehave, pushes_to
from push.ways import CONTENT, Outside, device, open_way
from simulator.running import Simulator, running, settings_in
from support.parcels import new_message
from support.ports import free_port
from tidings.contracts.codes import Channel, ErrorOwner
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import RenderedAction, RenderedPush, StoredManner
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.kit.ids import now
from tidings.push.providers.fcm import FcmProvider
from tidings.push.providers.fcm.access_token import CredentialProblem
from tidings.push.providers.fcm.errors import QUOTA_SECONDS
from tidings.push.providers.fcm.message import MAX_TTL_SECONDS

Send = Callable[..., Awaitable[Answer]]


@pytest.fixture
async def send(outside: Outside, token: str) -> AsyncIterator[Send]:
    """Sends one message to a device of its own."""
    async with open_way("fcm", outside) as way:

        async def send_it(content: RenderedPush = CONTENT, message: DeliveryMessage | None = None) -> Answer:
            return await way.send(content, to=device("fcm", token), message=message)

        yield send_it


@asynccontextmanager
async def credentials(tmp_path: Path, simulator: Simulator, **changed: str) -> AsyncIterator[str]:
    """A copy of the simulator's key file with other values."""
    account = json.loads(simulator.account_file.read_bytes())
    file = tmp_path / "account.json"
    file.write_text(json.dumps({**account, **changed}))
    yield str(file)


async def test_a_push_is_as_fcm_documents_it(send: Send, simulator: Simulator, token: str) -> None:
    """Title, body, image, link and data go where FCM's reference puts them; a repeat replaces itself."""
    message = new_message(Channel.PUSH)
    content = RenderedPush(
        title="Grüße",
        body="Da",
        image="https://e.example/i.png",
        link="https://e.example/7",
        data={"order": "7"},
    )
    taken = await send(content, message)
    (push,) = await pushes_to(simulator, token)
    notification_id = str(message.notification_id)

    assert isinstance(taken, Taken)
    assert taken.provider_ref == push["name"]
    assert push["message"] == {
        "token": token,
        "notification": {"title": "Grüße", "body": "Da", "image": "https://e.example/i.png"},
        "data": {"order": "7", "notification_id": notification_id, "link": "https://e.example/7"},
        "android": {"notification": {"tag": notification_id}},
        "apns": {
            "headers": {"apns-collapse-id": notification_id},
            "payload": {"aps": {"mutable-content": 1}},
            "fcm_options": {"image": "https://e.example/i.png"},
        },
        "webpush": {
            "notification": {"tag": notification_id},
            "fcm_options": {"link": "https://e.example/7"},
        },
    }


async def test_how_a_push_behaves(send: Send, simulator: Simulator, token: str) -> None:
    """Badge, sound, urgency and collapse key are said to each platform in its own words."""
    manner = StoredManner(sound="chime", urgency="high")
    assert isinstance(await send(RenderedPush(title="Hi", badge=2, collapse_key="k", manner=manner)), Taken)
    (push,) = await pushes_to(simulator, token)
    message = push["message"]
    assert message["android"] == {
        "priority": "HIGH",
        "collapse_key": "k",
        "notification": {"tag": "k", "sound": "chime", "notification_count": 2},
    }
    assert message["apns"] == {
        "headers": {"apns-collapse-id": "k", "apns-priority": "10"},
        "payload": {"aps": {"badge": 2, "sound": "chime"}},
    }
    assert message["webpush"] == {"headers": {"Urgency": "high"}, "notification": {"tag": "k"}}


async def test_a_silent_push(send: Send, simulator: Simulator, token: str) -> None:
    """A push that only wakes the app shows nothing on any platform, and brings its data."""
    silent = RenderedPush(title="Hi", data={"order": "7"}, manner=StoredManner(silent=True))
    assert isinstance(await send(silent), Taken)
    (push,) = await pushes_to(simulator, token)
    message = push["message"]
    assert "notification" not in message
    assert "android" not in message
    assert message["data"]["order"] == "7"
    assert message["apns"]["payload"] == {"aps": {"content-available": 1}}
    assert message["apns"]["headers"]["apns-push-type"] == "background"


async def test_an_app_link_is_data_alone(send: Send, simulator: Simulator, token: str) -> None:
    """FCM refuses a web link that is not https, so one into an app travels as data only."""
    assert isinstance(await send(RenderedPush(title="Hi", link="app://orders/7")), Taken)
    (push,) = await pushes_to(simulator, token)
    assert push["message"]["data"]["link"] == "app://orders/7"
    assert "fcm_options" not in push["message"]["webpush"]


async def test_buttons(send: Send, simulator: Simulator, token: str) -> None:
    """Browsers get buttons to show; apps find the same in the data."""
    actions = [RenderedAction(id="open", title="Öffnen", link="https://e.example/7")]
    assert isinstance(await send(RenderedPush(title="Hi", actions=actions)), Taken)
    (push,) = await pushes_to(simulator, token)
    shown = push["message"]["webpush"]["notification"]["actions"]
    assert shown == [{"action": "open", "title": "Öffnen"}]
    assert json.loads(push["message"]["data"]["actions"]) == [
        {"id": "open", "title": "Öffnen", "link": "https://e.example/7"}
    ]


async def test_it_lives_no_longer_than_the_notification(send: Send, simulator: Simulator, token: str) -> None:
    """What is left until `expires_at` is the time to live on every platform, four weeks at most."""
    soon = now() + timedelta(hours=1)
    await send(message=new_message(Channel.PUSH, expires_at=soon))
    await send(message=new_message(Channel.PUSH, expires_at=now() + timedelta(days=90)))
    late, early = [push["message"] for push in await pushes_to(simulator, token)]
    seconds = int(early["android"]["ttl"].removesuffix("s"))
    assert 3_500 < seconds <= 3_600
    assert early["webpush"]["headers"] == {"TTL": str(seconds)}
    assert early["apns"]["headers"]["apns-expiration"] == str(int(soon.timestamp()))
    assert late["android"]["ttl"] == f"{MAX_TTL_SECONDS}s"


@pytest.mark.parametrize(
    ("fault", "owner", "retry_after", "word"),
    [
        ({"status": 404}, ErrorOwner.RECIPIENT, None, "UNREGISTERED"),
        ({"status": 403}, ErrorOwner.CREDENTIAL, None, "SENDER_ID_MISMATCH"),
        ({"status": 401}, ErrorOwner.CREDENTIAL, None, "THIRD_PARTY_AUTH_ERROR"),
        ({"status": 400}, ErrorOwner.CONTENT, None, "INVALID_ARGUMENT"),
        ({"status": 429}, ErrorOwner.THROTTLE, QUOTA_SECONDS, "QUOTA_EXCEEDED"),
        ({"status": 429, "retry_after": 7}, ErrorOwner.THROTTLE, 7, "QUOTA_EXCEEDED"),
        ({"status": 500}, ErrorOwner.OUTAGE, None, "INTERNAL"),
        ({"status": 503}, ErrorOwner.OUTAGE, None, "UNAVAILABLE"),
        ({"status": 503, "retry_after": 30}, ErrorOwner.OUTAGE, 30, "UNAVAILABLE"),
        ({"status": 503, "retry_after": 0}, ErrorOwner.OUTAGE, None, "UNAVAILABLE"),
        ({"status": 503, "retry_after": 10**12}, ErrorOwner.OUTAGE, 24 * 3600, "UNAVAILABLE"),
        ({"status": 502}, ErrorOwner.OUTAGE, None, "502"),
        ({"status": 504, "retry_after": 9}, ErrorOwner.OUTAGE, 9, "504"),
        ({"drop_response": True}, ErrorOwner.AMBIGUOUS, None, "lost"),
        ({"drop_connection": True}, ErrorOwner.AMBIGUOUS, None, "lost"),
    ],
    ids=str,
)
async def test_each_answer_has_an_owner(
    *,
    send: Send,
    simulator: Simulator,
    fault: dict[str, Any],
    owner: ErrorOwner,
    retry_after: float | None,
    word: str,
) -> None:
    """Google's error code decides who has to act, and a wait that Google asks for is kept."""
    await misbehave(simulator, fault)
    refused = await send()
    assert isinstance(refused, Refused)
    assert (refused.provider, refused.owner, refused.retry_after) == ("fcm", owner, retry_after)
    assert refused.dead == (owner is ErrorOwner.RECIPIENT)
    assert refused.provider_wide == (word != "SENDER_ID_MISMATCH")
    assert word in refused.detail


@pytest.mark.parametrize(
    ("content", "token_of", "owner"),
    [
        (CONTENT, "unregistered-" + "x" * 20, ErrorOwner.RECIPIENT),
        (CONTENT, "too short", ErrorOwner.RECIPIENT),
        (RenderedPush(title="x" * 5_000), "device-" + "x" * 20, ErrorOwner.CONTENT),
        (RenderedPush(title="x", data={"google.x": "reserved"}), "device-" + "x" * 20, ErrorOwner.CONTENT),
    ],
    ids=["unregistered", "no token", "too big", "reserved key"],
)
async def test_what_fcm_itself_refuses(
    outside: Outside, content: RenderedPush, token_of: str, owner: ErrorOwner
) -> None:
    """A dead or malformed token is the recipient's, an impossible message its author's."""
    async with open_way("fcm", outside) as way:
        refused = await way.send(content, to=device("fcm", token_of))
    assert isinstance(refused, Refused)
    assert refused.owner is owner


async def test_a_refused_access_token_is_renewed_once(send: Send, simulator: Simulator, token: str) -> None:
    """One 401 costs a new access token, not the message; a second one is a problem of the credential."""
    await misbehave(simulator, {"status": 401, "times": 1})
    assert isinstance(await send(), Taken)
    await misbehave(simulator, {"status": 401})
    assert isinstance(await send(), Refused)
    assert await fired(simulator) == [2]
    assert len(await pushes_to(simulator, token)) == 1


async def test_an_access_token_that_google_forgot(outside: Outside, tmp_path: Path, token: str) -> None:
    """A token that is not known any more is replaced, and the message goes out."""
    place = settings_in(tmp_path)
    url = f"http://127.0.0.1:{place.port}/fcm"
    file = str(tmp_path / "service-account.json")
    async with open_way("fcm", outside, credentials_file=file, url=url) as way:
        for _ in range(2):  # a restarted simulator knows no access token
            async with running(place):
                assert isinstance(await way.send(to=device("fcm", token)), Taken)


async def test_no_fcm(outside: Outside, token: str) -> None:
    """An FCM that cannot be reached is an outage: nothing can have arrived."""
    async with open_way("fcm", outside, url=f"http://127.0.0.1:{free_port()}") as way:
        refused = await way.send(to=device("fcm", token))
    assert isinstance(refused, Refused)
    assert refused.owner is ErrorOwner.OUTAGE


async def test_no_token_endpoint(outside: Outside, simulator: Simulator, token: str, tmp_path: Path) -> None:
    """Without an access token nothing is claimed or sent; it is an outage, and the ping fails."""
    down = f"http://127.0.0.1:{free_port()}/token"
    claims = []

    async def claim() -> None:
        claims.append(1)

    async with (
        credentials(tmp_path, simulator, token_uri=down) as file,
        open_way("fcm", outside, credentials_file=file) as way,
    ):
        refused = await way.send(to=device("fcm", token), before_body=claim)
        with pytest.raises(aiohttp.ClientError):
            await way.provider.ping()
    assert isinstance(refused, Refused)
    assert (refused.owner, claims) == (ErrorOwner.OUTAGE, [])
    assert "token endpoint" in refused.detail


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "cannot be read"),
        (b"", "no service account's key"),
        (b"\xff\xfe", "no service account's key"),
        (b"{}", "project_id"),
        (b'{"project_id": "p", "client_email": "c", "private_key": "no PEM"}', "private key"),
    ],
    ids=["missing", "empty", "not UTF-8", "another JSON", "no PEM"],
)
async def test_a_key_file_that_is_none(
    outside: Outside, tmp_path: Path, token: str, content: bytes | None, word: str
) -> None:
    """Without a usable key file the credential is at fault, and the words name the file and what is wrong."""
    file = tmp_path / "account.json"
    if content is not None:
        file.write_bytes(content)
    async with open_way("fcm", outside, credentials_file=str(file)) as way:
        refused = await way.send(to=device("fcm", token))
        with pytest.raises(CredentialProblem):
            await way.provider.ping()
    assert isinstance(refused, Refused)
    assert refused.owner is ErrorOwner.CREDENTIAL
    assert word in refused.detail
    assert str(file) in refused.detail


async def test_the_log_says_that_fcm_waits_for_its_key(outside: Outside, tmp_path: Path) -> None:
    """A missing key file stands in the log, with the provider and the file; one that is there does not."""
    missing = tmp_path / "none.json"
    for file, expected in ((missing, ["fcm_waits_for_its_key"]), (outside.simulator.account_file, [])):
        async with open_way("fcm", outside, credentials_file=str(file)) as way:
            assert isinstance(way.provider, FcmProvider)
            with capture_logs() as lines:
                way.provider.look_for_key()
        assert [line["event"] for line in lines] == expected
        assert all(line["provider"] == "fcm" and str(missing) in line["detail"] for line in lines)


async def test_a_key_that_google_refuses(
    outside: Outside, simulator: Simulator, tmp_path: Path, token: str
) -> None:
    """Google's words for a refused key are kept; the key itself is in none of them."""
    async with (
        credentials(tmp_path, simulator, client_email="someone@else.example") as file,
        open_way("fcm", outside, credentials_file=file) as way,
    ):
        refused = await way.send(to=device("fcm", token))
    assert isinstance(refused, Refused)
    assert refused.owner is ErrorOwner.CREDENTIAL
    assert "account not found" in refused.detail
    assert "PRIVATE KEY" not in refused.detail


async def test_a_key_file_that_is_mended_is_read_again(
    outside: Outside, simulator: Simulator, tmp_path: Path, token: str
) -> None:
    """The operator puts the key file where it belongs: the next send finds it, without a restart."""
    file = tmp_path / "account.json"
    async with open_way("fcm", outside, credentials_file=str(file)) as way:
        assert isinstance(await way.send(to=device("fcm", token)), Refused)
        file.write_bytes(simulator.account_file.read_bytes())
        assert isinstance(await way.send(to=device("fcm", token)), Taken)


async def test_ping(outside: Outside) -> None:
    """A service account that Google knows can be pinged."""
    async with open_way("fcm", outside) as way:
        await way.provider.ping()
