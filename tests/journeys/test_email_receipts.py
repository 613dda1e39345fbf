"""What becomes of emails after they were sent: told by providers, mail servers and strangers."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial

import aiosmtplib
import httpx
import pytest

from support.bounce_mails import delivery_report, failure
from support.email_world import API_KINDS, EmailWorld, Step, email_world, steps_of, stranger
from support.polling import eventually
from support.signed_webhooks import (
    Happening,
    MailgunSender,
    PostmarkSender,
    ResendSender,
    Sender,
    SendGridSender,
    SesSender,
)
from tidings.contracts.messages import ReceiptKind
from tidings.kit.ids import now

pytestmark = pytest.mark.journey

STORM = 5_000
STORM_SECONDS = 90
REPEATS = 20
SENT: list[Step] = [("accepted", None), ("queued", None), ("sent", None)]
LIVES: dict[str, list[Step]] = {
    "delivered": [("delivered", None)],
    "bounced": [("bounced", "hard_bounce")],
    "soft-bounced": [("bounced", "soft_bounce")],
    "deferred": [("sent", "deferred"), ("delivered", None)],
    "complained": [("delivered", None), ("delivered", "complained")],
}
SUPPRESSED = {"bounced": ["hard_bounce"], "complained": ["complaint"]}


@pytest.fixture(scope="module")
async def shared_world() -> AsyncIterator[EmailWorld]:
    """A stack that sends by API providers, and hears of it at the gateway's public address."""
    async with email_world() as world:
        await world.lead()

        async def all_ready() -> bool:  # like Amazon, it asks again for a confirmation that did not come
            await world.report_to(f"{world.stack.gateway}/webhooks")
            return all(receiver["ready"] for receiver in (await world.receivers())["receivers"])

        await eventually(all_ready)
        yield world


@pytest.fixture
async def world(shared_world: EmailWorld) -> EmailWorld:
    """That stack with an empty inbox."""
    await shared_world.stack.clear()
    return shared_world


@pytest.fixture(scope="module", params=API_KINDS)
async def kind(request: pytest.FixtureRequest, shared_world: EmailWorld) -> str:
    """Each provider in turn has all emails."""
    await shared_world.lead(normal=request.param)
    return str(request.param)


def someone(life: str) -> str:
    """A new address with this life before it."""
    return f"{life}-{secrets.token_hex(4)}@example.com"


@pytest.mark.parametrize("life", LIVES)
async def test_a_life_after_sending(world: EmailWorld, kind: str, life: str) -> None:
    """Whatever the provider reports is in the timeline, once, and whoever must not be written to is not."""
    address = someone(life)
    user_id = await world.person(address)
    notification_id = await world.stack.accept(user_id=user_id)
    told = LIVES[life]
    found = await world.until(notification_id, *SENT, *told)
    assert Counter(steps_of(found)) == Counter(SENT + told)
    assert found["status"] == told[-1][0]
    assert {step["provider"] for step in found["timeline"][2:]} == {kind}
    assert await world.suppressed(address) == SUPPRESSED.get(life, [])
    again = await world.stack.wait_settled(await world.stack.accept(user_id=user_id))
    if life in SUPPRESSED:
        assert (again["status"], again["reason"]) == ("suppressed", "address_suppressed")
    else:
        assert again["status"] in {"sent", "delivered", "bounced"}


async def test_a_copy_that_bounces(world: EmailWorld, kind: str) -> None:
    """A dead address in copy is suppressed; the notification goes its own way."""
    address, copy = someone("delivered"), someone("bounced")
    notification_id = await world.send(address, email={"cc": [copy]})
    await eventually(lambda: _is_suppressed(world, copy))
    found = await world.until(notification_id, *SENT, ("delivered", None))
    assert Counter(steps_of(found)) == Counter([*SENT, ("delivered", None)])
    assert await world.suppressed(address) == []
    assert {step["provider"] for step in found["timeline"][2:]} == {kind}


async def test_replayed_and_forged_webhooks(world: EmailWorld, kind: str) -> None:
    """The same bytes again change nothing; a stranger's word is refused and changes nothing either."""
    address = someone("delivered")
    notification_id = await world.send(address)
    before = await world.until(notification_id, *SENT, ("delivered", None))
    for delivery in await world.deliveries(kind):
        if any(event["recipient"] == address for event in delivery["events"]):
            await eventually(partial(_is_taken_again, world, delivery["id"]))
    bounce = Happening(ReceiptKind.HARD_BOUNCE, notification_id, address, now(), secrets.token_hex(8))
    posted = strangers(world)[kind].post(bounce, now())
    async with stranger() as http:
        url = f"{world.stack.gateway}/webhooks/{kind}"
        refused = await http.post(url, content=posted.body, headers=dict(posted.headers))
    assert (refused.status_code, refused.json()["code"]) == (401, "forged_webhook")
    # What came later has been applied.
    await world.until(await world.send(someone("delivered")), ("delivered", None))
    assert (await world.stack.notification(notification_id))["timeline"] == before["timeline"]
    assert await world.suppressed(address) == []


async def _is_taken_again(world: EmailWorld, delivery_id: int) -> bool:
    """Whether the bytes are taken now; a provider sends them until they are."""
    return bool((await world.replay(delivery_id))["status"] == httpx.codes.OK)


def strangers(world: EmailWorld) -> dict[str, Sender]:
    """Those who pretend to be a provider, with keys of their own."""
    return {
        "sendgrid": SendGridSender(),
        "ses": SesSender(f"{world.stack.simulator}/sns/certificate.pem"),
        "postmark": PostmarkSender("a guess"),
        "mailgun": MailgunSender("a guess"),
        "resend": ResendSender(b"a guess"),
    }


async def test_a_storm_of_events(world: EmailWorld) -> None:
    """Of 5,000 events, each sent some 20 times and in no order, every one is applied, exactly once."""
    await world.lead(normal="sendgrid")
    ids = await _sent_unheard(world)
    order = {"provider": "sendgrid", "events": STORM, "duplicates": REPEATS - 1}
    url = f"{world.stack.simulator}/api/webhooks/storm"
    assert (await world.stack.http.post(url, json=order)).status_code == httpx.codes.ACCEPTED

    async def over() -> bool:
        return not (await world.stack.http.get(url)).json()["running"]

    await eventually(over, within=STORM_SECONDS)
    report = (await world.stack.http.get(url)).json()
    steps: Counter[tuple[str, Step]] = Counter()
    for notification_id, life in ids.items():
        found = await world.until(notification_id, *LIVES[life])
        steps.update((life, step) for step in steps_of(found)[3:])
    print(report, dict(steps))  # noqa: T201 - the proof is to be seen, with `pytest -s` and beside a failure
    lives = Counter(ids.values())
    assert (report["accepted"], report["refused"]) == (STORM, 0)
    assert steps == {(life, step): lives[life] for life in lives for step in LIVES[life]}


async def _sent_unheard(world: EmailWorld) -> dict[str, str]:
    """Emails with their lives, none of which was heard of: as many as a storm has different events."""
    await world.stack.http.delete(f"{world.stack.simulator}/api/webhooks/deliveries")
    await world.report_to("http://127.0.0.1:1")
    events_of = {life: 1 + len(told) for life, told in LIVES.items()}
    rounds = STORM // REPEATS // sum(events_of.values())
    ids = {
        notification_id: life
        for life in LIVES
        for notification_id in await asyncio.gather(*(world.send(someone(life)) for _ in range(rounds)))
    }
    for notification_id in ids:
        assert (await world.stack.wait_settled(notification_id))["status"] == "sent"
    await world.stack.http.put(f"{world.stack.simulator}/api/webhooks", json=[])
    await eventually(lambda: _nothing_waits(world))
    await world.report_to(f"{world.stack.gateway}/webhooks")
    return ids


async def _nothing_waits(world: EmailWorld) -> bool:
    return bool((await world.receivers())["waiting"] == 0)


async def _is_suppressed(world: EmailWorld, address: str) -> bool:
    return bool(await world.suppressed(address))


async def test_a_bounce_by_mail(world: EmailWorld) -> None:
    """A mail server's report to the return path bounces the email; for a path made up there is no mailbox."""
    await world.lead(normal="relay")
    address = someone("ada")
    notification_id = await world.send(address)
    await world.until(notification_id, *SENT)
    (email,) = await world.stack.inbox(to=address)
    path = email["return_path"]
    forged = path.replace(path[2:4], "zz" if path[2:4] != "zz" else "aa", 1)
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=world.bounce_port, start_tls=False) as smtp:
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
            await smtp.sendmail("", forged, delivery_report(failure(address)))
        assert refused.value.recipients[0].code == 550
        await smtp.sendmail("", path, delivery_report(failure(address)))
    found = await world.until(notification_id, ("bounced", "hard_bounce"))
    assert (found["status"], found["reason"]) == ("bounced", "hard_bounce")
    assert len(found["timeline"]) == 4
    assert await world.suppressed(address) == ["hard_bounce"]
