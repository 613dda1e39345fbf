"""Web Push: what is sent, encrypted for one browser and signed for its push service."""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import http_ece  # type: ignore[import-untyped] # it has no annotations
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from push.outside import pushes_to
from push.ways import CONTENT, VAPID_KEYS, Outside, Way, device, open_way
from simulator.running import Simulator
from support.parcels import new_message, parcel_of
from support.ports import free_port
from tidings.contracts.codes import Channel, ErrorOwner
from tidings.contracts.templates import RenderedAction, RenderedPush, StoredManner
from tidings.delivery.outcome import Refused, Taken
from tidings.kit.ids import now
from tidings.kit.settings import SettingsError
from tidings.push.keys import (
    base64url,
    from_base64url,
    make_vapid_keys,
    public_point,
    read_private_key,
)
from tidings.push.providers.webpush.encryption import (
    MAX_PLAINTEXT_BYTES,
    encrypt,
    encrypt_with,
    read_receiver,
)
from tidings.push.providers.webpush.payload import MAX_TTL_SECONDS, payload
from tidings.push.providers.webpush.vapid import Vapid

BROWSER_KEY = generate_private_key(SECP256R1())
BROWSER_SECRET = b"0123456789abcdef"
RECEIVER = read_receiver(base64url(public_point(BROWSER_KEY.public_key())), base64url(BROWSER_SECRET))


@pytest.fixture
async def way(outside: Outside) -> AsyncIterator[Way]:
    async with open_way("webpush", outside) as way:
        yield way


def test_the_standards_own_example() -> None:
    """The values of RFC 8291, appendix A, give the very body printed there."""
    receiver = read_receiver(
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "BTBZMqHH6r4Tts7J_aSIgg",
    )
    ephemeral = read_private_key("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
    salt = from_base64url("DGv6ra1nlYgDCS1FRnbzlw")
    body = encrypt_with(b"When I grow up, I want to be a watermelon", receiver, ephemeral, salt)
    assert base64url(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz"
        "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@given(st.binary(max_size=MAX_PLAINTEXT_BYTES))
@settings(max_examples=50)
def test_an_independent_library_decrypts_it(plaintext: bytes) -> None:
    """Whatever is encrypted for a browser, http_ece gets it back with the browser's keys."""
    body = encrypt(plaintext, RECEIVER)
    assert len(body) <= 4096
    found = http_ece.decrypt(body, private_key=BROWSER_KEY, auth_secret=BROWSER_SECRET)
    assert found == plaintext


def test_each_message_has_keys_of_its_own() -> None:
    """The same words twice share neither salt nor key nor a byte pattern that tells so."""
    one, other = (encrypt(b"same", RECEIVER) for _ in range(2))
    assert one[:16] != other[:16]
    assert one[21:86] != other[21:86]
    assert one[86:] != other[86:]


def test_what_does_not_fit_into_one_record() -> None:
    """3,993 bytes fill a body of 4,096; one more is refused and not cut."""
    assert len(encrypt(b"x" * MAX_PLAINTEXT_BYTES, RECEIVER)) == 4096
    with pytest.raises(ValueError, match="3994 bytes"):
        encrypt(b"x" * (MAX_PLAINTEXT_BYTES + 1), RECEIVER)


async def test_what_the_service_worker_gets(way: Way, simulator: Simulator) -> None:
    """The browser decrypts every field of the table in docs/push.md; what says nothing is left out."""
    browser, message = await way.device(), new_message(Channel.PUSH)
    content = RenderedPush(
        title="Grüße",
        body="Da",
        image="https://e.example/i.png",
        link="https://e.example/7",
        badge=0,
        actions=[RenderedAction(id="open", title="Öffnen")],
        data={"order": "7"},
        manner=StoredManner(silent=True, urgency="low"),
    )
    assert isinstance(await way.send(content, to=browser, message=message), Taken)
    (push,) = await pushes_to(simulator, browser.token)
    assert push["message"]["notification"] == {
        "notification_id": str(message.notification_id),
        "title": "Grüße",
        "body": "Da",
        "image": "https://e.example/i.png",
        "link": "https://e.example/7",
        "tag": str(message.notification_id),
        "badge": 0,
        "silent": True,
        "actions": [{"id": "open", "title": "Öffnen"}],
        "data": {"order": "7"},
    }
    assert (push["message"]["ttl"], push["message"]["urgency"]) == (MAX_TTL_SECONDS, "low")


async def test_it_lives_no_longer_than_the_notification(way: Way, simulator: Simulator) -> None:
    """The time to live is what is left until `expires_at`."""
    browser = await way.device()
    await way.send(to=browser, message=new_message(Channel.PUSH, expires_at=now() + timedelta(hours=1)))
    (push,) = await pushes_to(simulator, browser.token)
    assert 3_500 < push["message"]["ttl"] <= 3_600


async def test_what_replaces_what(way: Way, simulator: Simulator) -> None:
    """Notifications with one collapse key share a topic; without it, only repeats of one do."""
    browser, message = await way.device(), new_message(Channel.PUSH)
    keyed = RenderedPush(title="Hi", collapse_key="orders")
    for content, sent in [
        (keyed, None),
        (keyed, None),
        (CONTENT, message),
        (CONTENT, message),
        (CONTENT, None),
    ]:
        await way.send(content, to=browser, message=sent)
    other, again, first, second, one = [
        push["message"]["topic"] for push in await pushes_to(simulator, browser.token)
    ]
    assert one == second
    assert first == again
    assert len({one, first, other}) == 3


async def test_a_browser_of_another_senders(way: Way, outside: Outside) -> None:
    """403 for a key that is not the subscription's is ours to mend: the browser stays, the others too."""
    answer = await way.send(to=await outside.subscribe(make_vapid_keys().public))
    assert isinstance(answer, Refused)
    assert (answer.owner, answer.dead, answer.provider_wide) == (ErrorOwner.CREDENTIAL, False, False)


async def test_an_endpoint_nobody_knows(way: Way, outside: Outside) -> None:
    """404 is as final as 410."""
    browser = await way.device()
    unknown = msgspec.structs.replace(browser, token=f"{outside.url}/webpush/nobody")
    answer = await way.send(to=unknown)
    assert isinstance(answer, Refused)
    assert (answer.owner, answer.dead) == (ErrorOwner.RECIPIENT, True)


async def test_an_endpoint_that_is_ours(way: Way) -> None:
    """A subscription that leads into our own network is not asked; it is no reason to forget it either."""
    browser = await way.device()
    inside = msgspec.structs.replace(browser, token="https://169.254.169.254/latest/meta-data")
    answer = await way.send(to=inside)
    assert isinstance(answer, Refused)
    assert (answer.owner, answer.dead) == (ErrorOwner.RECIPIENT, False)
    assert "not a public address" in answer.detail


async def test_a_push_service_that_is_down(outside: Outside) -> None:
    """One push service that cannot be reached is an outage, and says nothing about the others."""
    closed = f"127.0.0.1:{free_port()}"
    async with open_way("webpush", outside, reaching=closed) as way:
        browser = await way.device()
        answer = await way.send(to=msgspec.structs.replace(browser, token=f"http://{closed}/x"))
    assert isinstance(answer, Refused)
    assert (answer.owner, answer.provider_wide) == (ErrorOwner.OUTAGE, False)


@pytest.mark.parametrize(
    "subscription", [None, {}, {"keys": {}}, {"keys": {"p256dh": "AAAA", "auth": "AAAA"}}, {"keys": None}]
)
async def test_keys_that_are_none(way: Way, subscription: dict[str, object] | None) -> None:
    """A subscription that nothing can be encrypted for is dead."""
    answer = await way.send(to=device("webpush", "https://push.example/1", subscription))
    assert isinstance(answer, Refused)
    assert (answer.owner, answer.dead) == (ErrorOwner.RECIPIENT, True)


@pytest.mark.parametrize("endpoint", ["", "nonsense", "https://", "https://[::1", "https://push.example:x/1"])
async def test_an_endpoint_that_is_none(way: Way, endpoint: str) -> None:
    """A subscription whose endpoint is no address is refused as the recipient's affair."""
    browser = await way.device()
    answer = await way.send(to=msgspec.structs.replace(browser, token=endpoint))
    assert isinstance(answer, Refused)
    assert answer.owner is ErrorOwner.RECIPIENT


def test_the_header_is_signed_once_per_push_service() -> None:
    """Two endpoints of one service share a header; another service gets one with its own audience."""
    vapid = Vapid(read_private_key(VAPID_KEYS.private), "mailto:ops@example.com")
    one, same = vapid.header("https://push.example/1?x"), vapid.header("https://push.example/2")
    other = vapid.header("https://push.example:8443/1")
    third = vapid.header("https://Push.Example:443/3")
    assert one is same
    assert audience_of(third) == "https://push.example"
    assert audience_of(one) == "https://push.example"
    assert audience_of(other) == "https://push.example:8443"
    assert one.endswith(f", k={VAPID_KEYS.public}")


def audience_of(header: str) -> str:
    token = header.removeprefix("vapid t=").partition(",")[0]
    claims = jwt.decode(
        token,
        read_private_key(VAPID_KEYS.private).public_key(),
        algorithms=["ES256"],
        options={"verify_aud": False},
    )
    assert claims["sub"] == "mailto:ops@example.com"
    assert claims["exp"] <= (now() + timedelta(hours=24)).timestamp()
    return str(claims["aud"])


def test_keys_in_either_form() -> None:
    """A key made by `tidings push keys` and the same in PEM are one, whose public half browsers take."""
    keys = make_vapid_keys()
    key = read_private_key(f"  {keys.private}\n")
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert read_private_key(pem.decode()).private_numbers() == key.private_numbers()
    assert public_point(key.public_key()) == from_base64url(keys.public)
    assert keys.private not in repr(keys)


@pytest.mark.parametrize(
    "changes",
    [
        {"private_key": None},
        {"private_key_file": "also-a-file"},
        {"private_key": "AAAA"},
        {"private_key": "no base64 at all!"},
        {"private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"},
        {"private_key": None, "private_key_file": "no/such/file"},
    ],
    ids=str,
)
async def test_a_key_that_cannot_be_used(outside: Outside, changes: dict[str, Any]) -> None:
    """The service does not start, and the words name the provider."""
    with pytest.raises(SettingsError, match="`webpush`"):
        async with open_way("webpush", outside, **changes):
            raise AssertionError("it started")


async def test_a_key_in_a_file(outside: Outside, tmp_path: Path) -> None:
    """The key may be in a file, with a line's end."""
    file = tmp_path / "vapid.key"
    file.write_text(f"{VAPID_KEYS.private}\n")
    async with open_way("webpush", outside, private_key=None, private_key_file=str(file)) as way:
        assert isinstance(await way.send(), Taken)


@given(body=st.text(max_size=2_000), key=st.text(max_size=100), data=st.dictionaries(st.text(), st.text()))
@settings(max_examples=50)
def test_every_payload_is_json(body: str, key: str, data: dict[str, str]) -> None:
    """Whatever a template rendered, the service worker reads the same back."""
    content = RenderedPush(title="Hi", body=body, collapse_key=key, data=data)
    browser = device("webpush", "https://push.example/1")
    found = msgspec.json.decode(payload(parcel_of(new_message(Channel.PUSH), content, browser)))
    assert (found.get("body", ""), found.get("data", {})) == (body, data)


def test_padding_is_no_matter() -> None:
    """Browsers give keys without padding, some libraries with it."""
    assert from_base64url(base64.urlsafe_b64encode(b"abcd").decode()) == from_base64url("YWJjZA") == b"abcd"
