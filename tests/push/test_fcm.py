"""The FCM provider: what it sends, and what it makes of each of Google's answers."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec
import pytest

from push.outside import fired, misbehave, pushes_to
from simulator.running import Simulator, running, settings_in
from support.parcels import new_message, parcel_of, ready
from support.servers import free_port
from tidings.client.http import open_session
from tidings.contracts.codes import Channel, ErrorOwner
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import RenderedAction, RenderedPush
from tidings.contracts.users import PushToken
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.kit.ids import now
from tidings.push.providers.fcm import MAX_TTL_SECONDS, FcmProvider
from tidings.push.providers.fcm_errors import QUOTA_SECONDS
from tidings.push.providers.fcm_token import CredentialProblem
from tidings.push.settings import PushSettings

Send = Callable[..., Awaitable[Answer]]

CONTENT = RenderedPush(title="Grüße", body="An order is here", link="https://example.com/7")


def device(token: str) -> PushToken:
    return PushToken(id=uuid4(), provider="fcm", token=token, created_at=now())


@asynccontextmanager
async def provider_of(settings: PushSettings, **changed: object) -> AsyncIterator[FcmProvider]:
    async with open_session() as session:
        yield FcmProvider(msgspec.structs.replace(settings, **changed), session)


@pytest.fixture
async def send(settings: PushSettings, token: str) -> AsyncIterator[Send]:
    """Sends one message to a device of its own."""
    async with provider_of(settings) as provider:

        async def send_it(content: RenderedPush = CONTENT, message: DeliveryMessage | None = None) -> Answer:
            whole = message or new_message(Channel.PUSH)
            return await provider.send(parcel_of(whole, content, device(token)), ready)

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
        "apns": {"headers": {"apns-collapse-id": notification_id}},
        "webpush": {
            "notification": {"tag": notification_id},
            "fcm_options": {"link": "https://e.example/7"},
        },
    }


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
    settings: PushSettings, content: RenderedPush, token_of: str, owner: ErrorOwner
) -> None:
    """A dead or malformed token is the recipient's, an impossible message its author's."""
    async with provider_of(settings) as provider:
        parcel = parcel_of(new_message(Channel.PUSH), content, device(token_of))
        refused = await provider.send(parcel, ready)
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


async def test_an_access_token_that_google_forgot(settings: PushSettings, tmp_path: Path, token: str) -> None:
    """A token that is not known any more is replaced, and the message goes out."""
    place = settings_in(tmp_path)
    url = f"http://127.0.0.1:{place.port}/fcm"
    file = str(tmp_path / "service-account.json")
    async with provider_of(settings, fcm_credentials_file=file, fcm_url=url) as provider:
        for _ in range(2):  # a restarted simulator knows no access token
            async with running(place):
                parcel = parcel_of(new_message(Channel.PUSH), CONTENT, device(token))
                assert isinstance(await provider.send(parcel, ready), Taken)


async def test_no_fcm(settings: PushSettings, token: str) -> None:
    """An FCM that cannot be reached is an outage: nothing can have arrived."""
    async with provider_of(settings, fcm_url=f"http://127.0.0.1:{free_port()}") as provider:
        refused = await provider.send(parcel_of(new_message(Channel.PUSH), CONTENT, device(token)), ready)
    assert isinstance(refused, Refused)
    assert refused.owner is ErrorOwner.OUTAGE


async def test_no_token_endpoint(
    settings: PushSettings, simulator: Simulator, token: str, tmp_path: Path
) -> None:
    """Without an access token nothing is claimed or sent; it is an outage, and the ping fails."""
    down = f"http://127.0.0.1:{free_port()}/token"
    claims = []

    async def claim() -> None:
        claims.append(1)

    async with (
        credentials(tmp_path, simulator, token_uri=down) as file,
        provider_of(settings, fcm_credentials_file=file) as provider,
    ):
        refused = await provider.send(parcel_of(new_message(Channel.PUSH), CONTENT, device(token)), claim)
        with pytest.raises(aiohttp.ClientError):
            await provider.ping()
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
    settings: PushSettings, tmp_path: Path, token: str, content: bytes | None, word: str
) -> None:
    """Without a usable key file the credential is at fault, and the words name the file and what is wrong."""
    file = tmp_path / "account.json"
    if content is not None:
        file.write_bytes(content)
    async with provider_of(settings, fcm_credentials_file=str(file)) as provider:
        refused = await provider.send(parcel_of(new_message(Channel.PUSH), CONTENT, device(token)), ready)
        with pytest.raises(CredentialProblem):
            await provider.ping()
    assert isinstance(refused, Refused)
    assert refused.owner is ErrorOwner.CREDENTIAL
    assert word in refused.detail
    assert str(file) in refused.detail


async def test_a_key_that_google_refuses(
    settings: PushSettings, simulator: Simulator, tmp_path: Path, token: str
) -> None:
    """Google's words for a refused key are kept; the key itself is in none of them."""
    async with (
        credentials(tmp_path, simulator, client_email="someone@else.example") as file,
        provider_of(settings, fcm_credentials_file=file) as provider,
    ):
        refused = await provider.send(parcel_of(new_message(Channel.PUSH), CONTENT, device(token)), ready)
    assert isinstance(refused, Refused)
    assert refused.owner is ErrorOwner.CREDENTIAL
    assert "account not found" in refused.detail
    assert "PRIVATE KEY" not in refused.detail


async def test_a_key_file_that_is_mended_is_read_again(
    settings: PushSettings, simulator: Simulator, tmp_path: Path, token: str
) -> None:
    """The operator puts the key file where it belongs: the next send finds it, without a restart."""
    file = tmp_path / "account.json"
    parcel = parcel_of(new_message(Channel.PUSH), CONTENT, device(token))
    async with provider_of(settings, fcm_credentials_file=str(file)) as provider:
        assert isinstance(await provider.send(parcel, ready), Refused)
        file.write_bytes(simulator.account_file.read_bytes())
        assert isinstance(await provider.send(parcel, ready), Taken)


async def test_ping(settings: PushSettings) -> None:
    """A service account that Google knows can be pinged."""
    async with provider_of(settings) as provider:
        await provider.ping()
