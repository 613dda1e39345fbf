"""Which words of which provider are a dead mailbox, an ailing one, or none of its business."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from support.signed_webhooks import MailgunSender, PostmarkSender, ResendSender, SendGridSender, SesSender
from tidings.contracts.messages import Receipt, ReceiptKind
from tidings.email.receipts.webhook import Posted, Webhook
from tidings.kit.ids import now

HARD, SOFT = ReceiptKind.HARD_BOUNCE, ReceiptKind.SOFT_BOUNCE
ADDRESS = "ada@example.com"
MOMENT = "2026-11-20T09:30:00Z"
OURS = {"notification_id": str(uuid4())}
LISTED = [{"name": "notification_id", "value": OURS["notification_id"]}]

Told = tuple[ReceiptKind, str | None] | None
Webhooks = Mapping[str, Webhook]


async def told(webhook: Webhook, posted: Posted) -> Told:
    """The kind, and the address that it counts against."""
    (receipt,) = await webhook.read(posted)
    return None if receipt is None else (receipt.kind, receipt.address)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"event": "bounce", "type": "bounce", "status": "5.1.1"}, (HARD, ADDRESS)),
        ({"event": "bounce", "type": "bounce", "status": ""}, (HARD, ADDRESS)),
        ({"event": "bounce", "type": "bounce", "status": "5.2.2"}, (SOFT, ADDRESS)),
        ({"event": "bounce", "type": "bounce", "status": "5.7.1"}, (SOFT, None)),
        ({"event": "bounce", "bounce_classification": "Reputation"}, (SOFT, None)),
        ({"event": "bounce", "type": "blocked", "status": "5.1.1"}, (SOFT, None)),
        ({"event": "bounce", "type": "blocked", "status": "4.2.2"}, (SOFT, ADDRESS)),
        ({"event": "dropped", "reason": "Bounced Address"}, (HARD, ADDRESS)),
        ({"event": "dropped", "reason": "Spam Reporting Address"}, (SOFT, None)),
        ({"event": "deferred", "response": "451 4.7.1 later"}, (ReceiptKind.DEFERRED, None)),
        ({"event": "processed"}, None),
        ({"event": "open"}, None),
        ({"event": "group_unsubscribe"}, None),
    ],
)
async def test_sendgrid(
    event: dict[str, Any], expected: Told, webhooks: Webhooks, sendgrid: SendGridSender
) -> None:
    """A block is no dead address; what SendGrid dropped never went out."""
    whole = {"email": ADDRESS, "timestamp": 1_790_000_000, "sg_event_id": "one", **OURS, **event}
    assert await told(webhooks["sendgrid"], sendgrid.sign([whole], now())) == expected


async def test_sendgrid_events_that_cannot_be_read_do_not_hold_up_the_others(
    webhooks: Webhooks, sendgrid: SendGridSender
) -> None:
    """Of a batch, each event stands for itself."""
    good = {"email": ADDRESS, "timestamp": 1, "sg_event_id": "one", "event": "delivered", **OURS}
    events = await webhooks["sendgrid"].read(sendgrid.sign([{"event": 7}, "nonsense", good], now()))
    assert [event and event.kind for event in events] == [None, None, ReceiptKind.DELIVERED]


@pytest.mark.parametrize(
    ("kind", "recipient", "expected"),
    [
        (("Permanent", "NoEmail"), {"status": "5.1.1"}, (HARD, ADDRESS)),
        (("Permanent", "OnAccountSuppressionList"), {}, (HARD, ADDRESS)),
        (("Transient", "MailboxFull"), {}, (SOFT, ADDRESS)),
        (("Transient", "MessageTooLarge"), {}, (SOFT, None)),
        (("Transient", "ContentRejected"), {}, (SOFT, None)),
        (("Undetermined", "Undetermined"), {}, (SOFT, None)),
        (("Transient", "General"), {"action": "failed"}, (SOFT, ADDRESS)),
        (("Transient", "General"), {}, None),
    ],
)
async def test_ses_bounces(
    kind: tuple[str, str], recipient: dict[str, str], expected: Told, webhooks: Webhooks, ses: SesSender
) -> None:
    """An out-of-office reply, which SES calls a transient bounce without a report, is none."""
    bounce = {
        "bounceType": kind[0],
        "bounceSubType": kind[1],
        "timestamp": MOMENT,
        "bouncedRecipients": [{"emailAddress": ADDRESS, **recipient}],
    }
    assert await told(webhooks["ses"], ses.sign(ses_event("Bounce", bounce=bounce), now())) == expected


@pytest.mark.parametrize(
    ("complaint", "expected"),
    [
        ({"complaintFeedbackType": "abuse"}, (ReceiptKind.COMPLAINT, ADDRESS)),
        ({"complaintSubType": "OnAccountSuppressionList"}, (SOFT, None)),
    ],
)
async def test_ses_complaints(
    complaint: dict[str, Any], expected: Told, webhooks: Webhooks, ses: SesSender
) -> None:
    """An old complaint that kept SES from sending is no new one."""
    whole = {"timestamp": MOMENT, "complainedRecipients": [{"emailAddress": ADDRESS}], **complaint}
    assert await told(webhooks["ses"], ses.sign(ses_event("Complaint", complaint=whole), now())) == expected


async def test_ses_complaints_about_several_addresses_blame_none(webhooks: Webhooks, ses: SesSender) -> None:
    """Where Amazon cannot say who of several complained, nobody is put on the suppression list."""
    named = [{"emailAddress": ADDRESS}, {"emailAddress": "grace@example.com"}]
    complaint = {"timestamp": MOMENT, "complainedRecipients": named}
    events = await webhooks["ses"].read(ses.sign(ses_event("Complaint", complaint=complaint), now()))
    assert {event and event.address for event in events} == {None}


async def test_ses_rejections_end_the_email(webhooks: Webhooks, ses: SesSender) -> None:
    """What SES refuses to send after it took it, such as a virus, does not stay `sent`."""
    event = ses_event("Reject", reject={"reason": "Bad content"})
    assert await told(webhooks["ses"], ses.sign(event, now())) == (SOFT, None)


@pytest.mark.parametrize("kind", ["Send", "Open", "Click", "Rendering Failure", "Subscription"])
async def test_ses_events_of_no_use_are_ignored(kind: str, webhooks: Webhooks, ses: SesSender) -> None:
    """A topic may carry every event there is."""
    assert await told(webhooks["ses"], ses.sign(ses_event(kind), now())) is None


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"RecordType": "Bounce", "Type": "HardBounce"}, (HARD, ADDRESS)),
        ({"RecordType": "Bounce", "Type": "BadEmailAddress"}, (HARD, ADDRESS)),
        ({"RecordType": "Bounce", "Type": "SoftBounce"}, (SOFT, ADDRESS)),
        ({"RecordType": "Bounce", "Type": "Blocked"}, (SOFT, None)),
        ({"RecordType": "Bounce", "Type": "SpamNotification"}, (SOFT, None)),
        ({"RecordType": "Bounce", "Type": "Transient"}, (ReceiptKind.DEFERRED, None)),
        ({"RecordType": "Bounce", "Type": "AutoResponder"}, None),
        ({"RecordType": "Open"}, None),
        ({"RecordType": "SubscriptionChange"}, None),
    ],
)
async def test_postmark(
    event: dict[str, Any], expected: Told, webhooks: Webhooks, postmark: PostmarkSender
) -> None:
    """By `Type`; an auto-reply is no bounce."""
    whole = {"MessageID": "one", "Email": ADDRESS, "BouncedAt": MOMENT, "Metadata": OURS, **event}
    assert await told(webhooks["postmark"], postmark.sign(whole)) == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"reason": "bounce", "delivery-status": {"code": 550, "message": "5.1.1 no"}}, (HARD, ADDRESS)),
        ({"reason": "bounce", "delivery-status": {"code": 550, "message": "no such user"}}, (HARD, ADDRESS)),
        ({"reason": "bounce", "delivery-status": {"bounce-type": "soft"}}, (SOFT, ADDRESS)),
        ({"reason": "bounce", "delivery-status": {"message": "550 5.7.1 spam"}}, (SOFT, None)),
        ({"reason": "suppress-bounce"}, (HARD, ADDRESS)),
        ({"reason": "suppress-complaint"}, (SOFT, None)),
        ({"reason": "old"}, (SOFT, ADDRESS)),
        ({"reason": "generic"}, (SOFT, None)),
        ({"severity": "temporary", "reason": "greylisted"}, (ReceiptKind.DEFERRED, None)),
        ({"event": "rejected"}, (SOFT, None)),
        ({"event": "accepted"}, None),
        ({"event": "unsubscribed"}, None),
    ],
)
async def test_mailgun(
    event: dict[str, Any], expected: Told, webhooks: Webhooks, mailgun: MailgunSender
) -> None:
    """By severity and reason; a status code in the server's words decides where there is one."""
    failed = {"event": "failed", "severity": "permanent", "timestamp": 1_790_000_000.5}
    whole = {**failed, "recipient": ADDRESS, "user-variables": OURS, **event}
    assert await told(webhooks["mailgun"], mailgun.sign(whole, now(), token=uuid4().hex)) == expected


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("email.bounced", {"bounce": {"type": "Permanent", "message": "gone"}}, (HARD, ADDRESS)),
        ("email.bounced", {"bounce": {"type": "Transient", "message": "5.2.2 full"}}, (SOFT, ADDRESS)),
        ("email.bounced", {"bounce": {"type": "Permanent", "message": "550 5.7.1 policy"}}, (SOFT, None)),
        ("email.bounced", {"bounce": {"type": "Undetermined"}}, (SOFT, None)),
        ("email.bounced", {"to": [ADDRESS, "b@example.com"], "bounce": {"type": "Permanent"}}, (HARD, None)),
        ("email.failed", {"failed": {"reason": "reached_daily_quota"}}, (SOFT, None)),
        ("email.delivered", {"tags": LISTED}, (ReceiptKind.DELIVERED, ADDRESS)),
        ("email.sent", {}, None),
        ("email.opened", {}, None),
    ],
)
async def test_resend(
    kind: str, data: dict[str, Any], expected: Told, webhooks: Webhooks, resend: ResendSender
) -> None:
    """By type; tags are taken in both forms that Resend writes."""
    event = {"type": kind, "created_at": MOMENT, "data": {"to": [ADDRESS], "tags": OURS, **data}}
    posted = resend.sign(event, now(), message_id=uuid4().hex)
    assert await told(webhooks["resend"], posted) == expected


async def test_times_ahead_of_ours_are_now(webhooks: Webhooks, sendgrid: SendGridSender) -> None:
    """A provider whose clock is fast does not write into the future of a timeline."""
    event = {"email": ADDRESS, "timestamp": 9_999_999_999, "sg_event_id": "one", "event": "delivered", **OURS}
    (receipt,) = await webhooks["sendgrid"].read(sendgrid.sign([event], now()))
    assert isinstance(receipt, Receipt)
    assert receipt.at <= now()


def ses_event(kind: str, **parts: object) -> dict[str, object]:
    tags = {name: [value] for name, value in OURS.items()}
    return {"eventType": kind, "mail": {"timestamp": MOMENT, "messageId": "one", "tags": tags}, **parts}
