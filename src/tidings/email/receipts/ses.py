"""Amazon SES: events of a configuration set, published through an SNS topic.

Sources: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and, for
bounce types, https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from tidings.contracts.messages import Receipt
from tidings.email.receipts.sns import SnsMessage, SnsVerifier
from tidings.email.receipts.verdict import AILING, BLAMELESS, COMPLAINT, DEAD, DEFERRED, DELIVERED, Verdict
from tidings.email.receipts.webhook import Posted, decoded, past, words
from tidings.email.references import read_reference
from tidings.email.return_path import ReturnPath

_BOUNCES = {
    ("Permanent", "General"): DEAD,
    ("Permanent", "NoEmail"): DEAD,
    ("Permanent", "Suppressed"): DEAD,
    ("Permanent", "OnAccountSuppressionList"): DEAD,
    ("Transient", "General"): AILING,
    ("Transient", "MailboxFull"): AILING,
}
"""By type and subtype; the others are about the message (MessageTooLarge, ContentRejected …) or unknown."""

_Moment = Annotated[datetime, Meta(tz=True)]


class _Recipient(msgspec.Struct, frozen=True, rename="camel"):
    email_address: str
    action: str | None = None
    status: str | None = None
    diagnostic_code: str | None = None

    @property
    def is_reported(self) -> bool:
        """Whether a mail server said so. SES counts the out-of-office replies of people as bounces too."""
        return bool(self.action or self.status or self.diagnostic_code)


class _Bounce(msgspec.Struct, frozen=True, rename="camel"):
    timestamp: _Moment
    bounce_type: str = ""
    bounce_sub_type: str = ""
    bounced_recipients: list[_Recipient] = []


class _Complaint(msgspec.Struct, frozen=True, rename="camel"):
    timestamp: _Moment
    complained_recipients: list[_Recipient] = []
    complaint_sub_type: str | None = None
    complaint_feedback_type: str | None = None


class _Delivery(msgspec.Struct, frozen=True, rename="camel"):
    timestamp: _Moment
    recipients: list[str] = []
    smtp_response: str | None = None


class _Delay(msgspec.Struct, frozen=True, rename="camel"):
    timestamp: _Moment
    delayed_recipients: list[_Recipient] = []
    delay_type: str | None = None


class _Reject(msgspec.Struct, frozen=True):
    reason: str | None = None


class _Mail(msgspec.Struct, frozen=True, rename="camel"):
    timestamp: _Moment
    message_id: str | None = None
    tags: dict[str, list[str]] = {}


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    mail: _Mail
    event_type: str = ""
    bounce: _Bounce | None = None
    complaint: _Complaint | None = None
    delivery: _Delivery | None = None
    delivery_delay: _Delay | None = None
    reject: _Reject | None = None


class _Finding(msgspec.Struct, frozen=True):
    """One recipient's part of an event."""

    verdict: Verdict
    at: datetime
    address: str | None
    detail: str | None


class SesWebhook:
    """Reads what the topic brings, and confirms its subscription when Amazon asks."""

    def __init__(self, name: str, verifier: SnsVerifier, paths: ReturnPath) -> None:
        self._name = name
        self._paths = paths
        self._verifier = verifier

    async def read(self, posted: Posted) -> Sequence[Receipt | None]:
        """Verify the SNS message, then read the one event in it, a receipt for each recipient."""
        message = decoded(posted.body, SnsMessage)
        await self._verifier.check(message)
        if message.type == "SubscriptionConfirmation":
            await self._verifier.confirm(message)
        if message.type != "Notification":
            return [None]
        event = decoded(message.message, _Event)
        mail = read_reference(next(iter(event.mail.tags.get("notification_id", [])), None), self._paths)
        if mail is None:
            return [None]
        receipts = [
            Receipt(
                event_id=f"{message.message_id}:{number}",
                kind=found.verdict.kind,
                notification_id=mail.notification_id,
                at=past(found.at),
                provider=self._name,
                provider_ref=event.mail.message_id,
                address=found.address if found.verdict.blames_mailbox else None,
                copy=mail.is_copy(found.address),
                detail=found.detail,
            )
            for number, found in enumerate(_findings(event))
        ]
        return receipts or [None]


def _findings(event: _Event) -> Iterator[_Finding]:
    match event:
        case _Event(event_type="Bounce", bounce=_Bounce() as bounce):
            yield from _bounced(bounce)
        case _Event(event_type="Complaint", complaint=_Complaint() as complaint):
            yield from _complained(complaint)
        case _Event(event_type="Delivery", delivery=_Delivery() as delivery):
            for address in delivery.recipients:
                yield _Finding(DELIVERED, delivery.timestamp, address, words(delivery.smtp_response))
        case _Event(event_type="DeliveryDelay", delivery_delay=_Delay() as delay):
            for one in delay.delayed_recipients:
                detail = words(delay.delay_type, one.diagnostic_code)
                yield _Finding(DEFERRED, delay.timestamp, one.email_address, detail)
        case _Event(event_type="Reject", reject=_Reject() as reject):
            detail = words("Rejected by SES:", reject.reason)
            yield _Finding(BLAMELESS, event.mail.timestamp, None, detail)


def _bounced(bounce: _Bounce) -> Iterator[_Finding]:
    kind = bounce.bounce_type, bounce.bounce_sub_type
    for one in bounce.bounced_recipients:
        if kind == ("Transient", "General") and not one.is_reported:
            continue  # an auto-reply: the email arrived
        verdict = _BOUNCES.get(kind, BLAMELESS)
        yield _Finding(verdict, bounce.timestamp, one.email_address, words(*kind, one.diagnostic_code))


def _complained(complaint: _Complaint) -> Iterator[_Finding]:
    # OnAccountSuppressionList: nobody complained now, SES did not send because of an old complaint.
    verdict = BLAMELESS if complaint.complaint_sub_type else COMPLAINT
    recipients = complaint.complained_recipients
    # Where several are named, any of them may be the one who complained.
    sure = len(recipients) == 1
    for one in recipients:
        detail = words(complaint.complaint_feedback_type, complaint.complaint_sub_type)
        yield _Finding(verdict, complaint.timestamp, one.email_address if sure else None, detail)
