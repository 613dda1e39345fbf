"""Events as each provider reports and signs them, checked by means of other people's where there are any."""

import hmac
import json
from base64 import b64decode
from collections.abc import AsyncIterator

import aiosmtplib
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from standardwebhooks import Webhook

from simulator.mail_clients import CUSTOM, only_email, send
from simulator.receiver import Got, Receiver, listening, subscribe
from simulator.running import Simulator

SECRET = "whsec_c2ltdWxhdG9yLXNpbXVsYXRvci1zZWNyZXQ="
SIGNED = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as receiver:
        yield receiver


async def keys(simulator: Simulator) -> dict[str, str]:
    answer: dict[str, str] = (await simulator.http.get("/api/webhooks/keys")).json()
    return answer


async def test_sendgrid_events_are_signed(simulator: Simulator, receiver: Receiver) -> None:
    """SendGrid's batch carries the custom arguments, and its key signs the timestamp and the raw body."""
    await subscribe(simulator, {"provider": "sendgrid", "url": receiver.url})
    await send(simulator, "sendgrid")
    [got] = await receiver.wait_for(1)
    events = json.loads(got.body)
    assert [event["event"] for event in events] == ["processed", "delivered"]
    assert {event["notification_id"] for event in events} == set(CUSTOM.values())
    assert len({event["sg_event_id"] for event in events}) == 2
    assert events[0]["sg_message_id"].startswith((await only_email(simulator))["reference"])
    assert got.body.endswith(b"\r\n")
    public = serialization.load_der_public_key(b64decode((await keys(simulator))["sendgrid"]))
    assert isinstance(public, ec.EllipticCurvePublicKey)
    signature = b64decode(got.headers["X-Twilio-Email-Event-Webhook-Signature"])
    timestamp = got.headers["X-Twilio-Email-Event-Webhook-Timestamp"].encode()
    public.verify(signature, timestamp + got.body, ec.ECDSA(hashes.SHA256()))


async def check_sns(simulator: Simulator, got: Got, names: tuple[str, ...]) -> dict[str, str]:
    message: dict[str, str] = json.loads(got.body)
    assert message["SignatureVersion"] == "2"
    pem = (await simulator.http.get(message["SigningCertURL"])).content
    public = x509.load_pem_x509_certificate(pem).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    signed = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    public.verify(b64decode(message["Signature"]), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    assert got.headers["x-amz-sns-message-type"] == message["Type"]
    return message


async def test_ses_events_come_once_the_subscription_is_confirmed(
    simulator: Simulator, receiver: Receiver
) -> None:
    """SNS asks for a confirmation first, and after it signs SES's events with its certificate."""
    await subscribe(simulator, {"provider": "ses", "url": receiver.url})
    assert (await simulator.http.get("/api/webhooks")).json()["receivers"][0]["ready"] is False
    [asked] = await receiver.wait_for(1)
    confirmation = await check_sns(simulator, asked, CONFIRMATION)
    assert confirmation["Type"] == "SubscriptionConfirmation"
    assert (await simulator.http.get(confirmation["SubscribeURL"] + "0")).status_code == 400
    assert (await simulator.http.get(confirmation["SubscribeURL"])).status_code == 200
    assert (await simulator.http.get("/api/webhooks")).json()["receivers"][0]["ready"] is True
    await send(simulator, "ses")
    requests = await receiver.wait_for(3)
    events = [json.loads((await check_sns(simulator, got, SIGNED))["Message"]) for got in requests[1:]]
    assert {event["eventType"] for event in events} == {"Send", "Delivery"}
    for event in events:
        assert event["mail"]["tags"] == {name: [value] for name, value in CUSTOM.items()}
        assert event["mail"]["messageId"] == (await only_email(simulator))["reference"]


async def test_postmark_events_have_basic_authentication(simulator: Simulator, receiver: Receiver) -> None:
    """Postmark signs nothing: it sends the name and password it was given, and the metadata."""
    target: dict[str, object] = {
        "provider": "postmark",
        "url": receiver.url,
        "username": "hook",
        "password": "s3cret",
    }
    await subscribe(simulator, target)
    await send(simulator, "postmark")
    [got] = await receiver.wait_for(1)
    event = json.loads(got.body)
    assert event["RecordType"] == "Delivery"
    assert event["Recipient"] == "ada@example.com"
    assert event["Metadata"] == CUSTOM
    assert event["MessageID"] == (await only_email(simulator))["reference"]
    assert b64decode(got.headers["Authorization"].removeprefix("Basic ")) == b"hook:s3cret"


async def test_mailgun_events_are_signed(simulator: Simulator, receiver: Receiver) -> None:
    """Mailgun signs the timestamp and a token of each request, and carries the user variables."""
    await subscribe(simulator, {"provider": "mailgun", "url": receiver.url, "signing_key": "key"})
    await send(simulator, "mailgun")
    bodies = [json.loads(got.body) for got in await receiver.wait_for(2)]
    assert len({body["signature"]["token"] for body in bodies}) == 2
    for body in bodies:
        signed = f"{body['signature']['timestamp']}{body['signature']['token']}".encode()
        assert body["signature"]["signature"] == hmac.digest(b"key", signed, "sha256").hex()
        assert body["event-data"]["user-variables"] == CUSTOM
    assert {body["event-data"]["event"] for body in bodies} == {"accepted", "delivered"}


async def test_resend_events_are_standard_webhooks(simulator: Simulator, receiver: Receiver) -> None:
    """Resend's signature is accepted by the reference library, and the tags come along."""
    await subscribe(simulator, {"provider": "resend", "url": receiver.url, "secret": SECRET})
    await send(simulator, "resend")
    for got in await receiver.wait_for(2):
        headers = {
            f"webhook-{name}": got.headers[f"svix-{name}"] for name in ("id", "timestamp", "signature")
        }
        event = Webhook(SECRET).verify(got.body, headers)
        assert event["type"] in {"email.sent", "email.delivered"}
        assert event["data"]["tags"] == CUSTOM
        assert event["data"]["email_id"] == (await only_email(simulator))["reference"]


def kinds_in(provider: str, body: bytes) -> list[str]:
    content = json.loads(body)
    match provider:
        case "sendgrid":
            return [event["event"] + event.get("type", "") for event in content]
        case "postmark":
            return [content["RecordType"] + content.get("Type", "")]
        case "mailgun":
            return [content["event-data"]["event"] + content["event-data"].get("severity", "")]
        case "ses":
            event = json.loads(content["Message"])
            return [event["eventType"] + event.get("bounce", {}).get("bounceType", "")]
        case _:
            return [content["type"] + content["data"].get("bounce", {}).get("type", "")]


@pytest.mark.parametrize(
    ("provider", "local", "kinds"),
    [
        ("sendgrid", "bounced", {"processed", "bouncebounce"}),
        ("sendgrid", "soft-bounced", {"processed", "bounceblocked"}),
        ("sendgrid", "deferred", {"processed", "deferred", "delivered"}),
        ("sendgrid", "complained", {"processed", "delivered", "spamreport"}),
        ("postmark", "bounced", {"BounceHardBounce"}),
        ("postmark", "soft-bounced", {"BounceSoftBounce"}),
        ("postmark", "deferred", {"BounceTransient", "Delivery"}),
        ("postmark", "complained", {"Delivery", "SpamComplaintSpamComplaint"}),
        ("mailgun", "bounced", {"accepted", "failedpermanent"}),
        ("mailgun", "deferred", {"accepted", "failedtemporary", "delivered"}),
        ("mailgun", "complained", {"accepted", "delivered", "complained"}),
        ("resend", "bounced", {"email.sent", "email.bouncedPermanent"}),
        ("resend", "soft-bounced", {"email.sent", "email.bouncedTransient"}),
        ("resend", "deferred", {"email.sent", "email.delivery_delayed", "email.delivered"}),
        ("resend", "complained", {"email.sent", "email.delivered", "email.complained"}),
    ],
)
async def test_local_part_chooses_the_life(
    simulator: Simulator, receiver: Receiver, provider: str, local: str, kinds: set[str]
) -> None:
    """The beginning of a recipient's address says what becomes of the email."""
    extra = {"mailgun": {"signing_key": "key"}, "resend": {"secret": SECRET}}.get(provider, {})
    await subscribe(simulator, {"provider": provider, "url": receiver.url, **extra})
    await send(simulator, provider, f"{local}+1@simulator.tidings.test")
    await receiver.wait_for(1 if provider == "sendgrid" else len(kinds))
    assert {kind for got in receiver.got for kind in kinds_in(provider, got.body)} == kinds


@pytest.mark.parametrize(
    ("local", "kinds"),
    [
        ("bounced", {"Send", "BouncePermanent"}),
        ("soft-bounced", {"Send", "BounceTransient"}),
        ("deferred", {"Send", "DeliveryDelay", "Delivery"}),
        ("complained", {"Send", "Delivery", "Complaint"}),
    ],
)
async def test_local_part_chooses_the_life_at_ses(
    simulator: Simulator, receiver: Receiver, local: str, kinds: set[str]
) -> None:
    """The same for SES, whose events are inside SNS's messages."""
    await subscribe(simulator, {"provider": "ses", "url": receiver.url})
    [asked] = await receiver.wait_for(1)
    await simulator.http.get(json.loads(asked.body)["SubscribeURL"])
    await send(simulator, "ses", f"{local}@simulator.tidings.test")
    requests = await receiver.wait_for(1 + len(kinds))
    assert {kind for got in requests[1:] for kind in kinds_in("ses", got.body)} == kinds


async def test_events_go_to_the_receiver_of_their_provider(simulator: Simulator, receiver: Receiver) -> None:
    """An email by SMTP or by an API without a receiver has no events."""
    await subscribe(simulator, {"provider": "sendgrid", "url": receiver.url})
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=simulator.smtp_port) as smtp:
        await smtp.sendmail("a@example.com", ["ada@example.com"], b"Subject: test\r\n\r\nHello\r\n")
    await send(simulator, "postmark")
    await send(simulator, "sendgrid", "bob@example.com")
    [got] = await receiver.wait_for(1)
    assert {event["email"] for event in json.loads(got.body)} == {"bob@example.com"}
    assert (await simulator.http.get("/api/webhooks")).json()["waiting"] == 0
