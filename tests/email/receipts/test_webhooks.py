"""Webhooks: what each provider's proves, and what it says. One suite for all of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from time import time_ns
from uuid import UUID, uuid4

import httpx
import pytest

from support.reports import Reports
from support.signed_webhooks import Happening, Sender
from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import Receipt, ReceiptKind
from tidings.delivery.providers_file import ProviderConfig
from tidings.email.providers.configs import ResendConfig, SendGridConfig
from tidings.email.receipts.webhook import Posted, Webhook
from tidings.email.receipts.webhooks import open_webhooks
from tidings.email.return_path import ReturnPath
from tidings.kit.ids import now
from tidings.kit.outbound import Outbound
from tidings.kit.settings import SettingsError

Remembered = Callable[[Sequence[Receipt | None]], Awaitable[None]]

PROVIDERS = ["sendgrid", "ses", "postmark", "mailgun", "resend"]
STEPS = {
    ReceiptKind.DELIVERED: (Status.DELIVERED, None),
    ReceiptKind.DEFERRED: (Status.SENT, Reason.DEFERRED),
    ReceiptKind.SOFT_BOUNCE: (Status.BOUNCED, Reason.SOFT_BOUNCE),
    ReceiptKind.HARD_BOUNCE: (Status.BOUNCED, Reason.HARD_BOUNCE),
    ReceiptKind.COMPLAINT: (Status.DELIVERED, Reason.COMPLAINED),
}


def happening(kind: ReceiptKind = ReceiptKind.DELIVERED, **changed: object) -> Happening:
    known = {
        "kind": kind,
        "notification_id": uuid4(),
        "address": f"someone{time_ns()}@example.com",
        "at": now().replace(microsecond=0),
        "event_id": uuid4().hex,
    }
    return Happening(**{**known, **changed})  # type: ignore[arg-type] # the caller's values fit


def uuid_of(told: Happening) -> UUID:
    assert isinstance(told.notification_id, UUID)
    return told.notification_id


async def post(http: httpx.AsyncClient, name: str, posted: Posted) -> httpx.Response:
    return await http.post(f"/webhooks/{name}", content=posted.body, headers=dict(posted.headers))


@pytest.mark.parametrize("kind", list(ReceiptKind))
@pytest.mark.parametrize("name", PROVIDERS)
async def test_an_event_reaches_the_timeline(
    name: str, kind: ReceiptKind, senders: Mapping[str, Sender], http: httpx.AsyncClient, consumer: Reports
) -> None:
    """Whatever a provider says of an email becomes a step in the notification's life, with its time."""
    told = happening(kind)
    answer = await post(http, name, senders[name].post(told, now()))
    assert (answer.status_code, answer.content) == (200, b""), answer.text
    event = await consumer.next_of(uuid_of(told))
    assert (event.status, event.reason) == STEPS[kind]
    assert (event.provider, event.at, event.attempt) == (name, told.at, 0)


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_forged_webhook_is_refused(
    name: str, strangers: Mapping[str, Sender], http: httpx.AsyncClient
) -> None:
    """A stranger's keys open nothing, and the answer names the cause."""
    answer = await post(http, name, strangers[name].post(happening(), now()))
    assert answer.status_code == 401
    assert answer.json()["code"] == "forged_webhook"


@pytest.mark.parametrize("name", PROVIDERS)
async def test_an_unsigned_webhook_is_refused(
    name: str, senders: Mapping[str, Sender], http: httpx.AsyncClient
) -> None:
    """Without a proof nothing is believed, however well-formed the event."""
    posted = senders[name].post(happening(), now())
    bare = posted.body.replace(b'"signature": ', b'"nothing": ').replace(b'"Signature": ', b'"Nothing": ')
    assert (await post(http, name, Posted({}, bare))).status_code in {400, 401}


@pytest.mark.parametrize("name", ["sendgrid", "ses", "resend"])
async def test_a_changed_body_is_refused(
    name: str, senders: Mapping[str, Sender], http: httpx.AsyncClient
) -> None:
    """A signature over the body is worth nothing for another body."""
    posted = senders[name].post(happening(), now())
    changed = posted.body.replace(b"example.com", b"example.org")
    answer = await post(http, name, Posted(posted.headers, changed))
    assert answer.json()["code"] == "forged_webhook"


@pytest.mark.parametrize("name", ["sendgrid", "ses", "mailgun", "resend"])
async def test_an_old_webhook_is_refused(
    name: str, senders: Mapping[str, Sender], http: httpx.AsyncClient
) -> None:
    """What was signed long ago is a replay: providers repeat an event for a day at most."""
    answer = await post(http, name, senders[name].post(happening(), now() - timedelta(days=4)))
    assert answer.json()["code"] == "forged_webhook"


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_replayed_webhook_changes_nothing(
    *,
    name: str,
    senders: Mapping[str, Sender],
    webhooks: Mapping[str, Webhook],
    http: httpx.AsyncClient,
    consumer: Reports,
    remembered: Remembered,
) -> None:
    """The same request again is answered as before and applied once."""
    told, later = happening(ReceiptKind.HARD_BOUNCE), happening()
    posted = senders[name].post(told, now())
    await post(http, name, posted)
    await consumer.next_of(uuid_of(told))
    await remembered(await webhooks[name].read(posted))
    assert (await post(http, name, posted)).status_code == 200
    await post(http, name, senders[name].post(later, now()))
    await consumer.next_of(uuid_of(later))
    assert len(consumer.of(uuid_of(told))) == 1


async def test_a_stolen_mailgun_token_changes_nothing(
    senders: Mapping[str, Sender],
    webhooks: Mapping[str, Webhook],
    http: httpx.AsyncClient,
    consumer: Reports,
    remembered: Remembered,
) -> None:
    """Mailgun signs no event, only a token: with other words it repeats what was applied."""
    told, later = happening(event_id="a token"), happening()
    posted = senders["mailgun"].post(told, now())
    await post(http, "mailgun", posted)
    await consumer.next_of(uuid_of(told))
    await remembered(await webhooks["mailgun"].read(posted))
    forged = happening(ReceiptKind.HARD_BOUNCE, notification_id=told.notification_id, event_id="a token")
    await post(http, "mailgun", senders["mailgun"].post(forged, now()))
    await post(http, "mailgun", senders["mailgun"].post(later, now()))
    await consumer.next_of(uuid_of(later))
    assert consumer.steps(uuid_of(told)) == [(Status.DELIVERED, 0)]


@pytest.mark.parametrize("name", PROVIDERS)
async def test_emails_of_others_are_ignored(
    name: str, senders: Mapping[str, Sender], http: httpx.AsyncClient
) -> None:
    """An account that also sends other mail reports it here too: it is taken, and nothing comes of it."""
    told = happening(notification_id="order-4711")
    assert (await post(http, name, senders[name].post(told, now()))).status_code == 200


@pytest.mark.parametrize("name", ["unsigned", "console", "nobody"])
async def test_a_provider_without_a_webhook_secret_has_no_webhook(name: str, http: httpx.AsyncClient) -> None:
    """Without a secret nothing can be verified, so nothing is taken."""
    answer = await http.post(f"/webhooks/{name}", content=b"{}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "unknown_webhook"


@pytest.mark.parametrize(
    "config",
    [
        SendGridConfig(api_key="key", webhook_public_key="no base64!"),
        SendGridConfig(api_key="key", webhook_public_key="bm8ga2V5"),
        ResendConfig(api_key="key", webhook_secret="whsec_no base64!"),
    ],
)
def test_a_webhook_secret_that_is_none_is_told_at_the_start(
    config: ProviderConfig, outbound: Outbound, paths: ReturnPath
) -> None:
    """The service does not start with a key that would refuse every event, and names the provider."""
    with pytest.raises(SettingsError, match="`mine`"):
        open_webhooks({"mine": config}, outbound, paths)


async def test_a_body_beyond_the_limit_is_refused(http: httpx.AsyncClient) -> None:
    """Five mebibytes are more than any provider sends at once."""
    answer = await http.post("/webhooks/sendgrid", content=b"x" * (5 * 1024 * 1024 + 1))
    assert answer.status_code == 413
