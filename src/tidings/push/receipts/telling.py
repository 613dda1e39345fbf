"""From receipts to what stands in timelines.

A receipt that says yes leaves a push `sent`: Apple's or Google's push service has it, which is what `sent`
means where they are asked directly. One that says no makes it `bounced`, once no device is left that has it.
"""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from tidings.contracts.codes import Status
from tidings.contracts.messages import PushTicket, StatusEvent, TakenPush
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.delivery.verdicts import REASONS
from tidings.kit.ids import now

DETAIL_CHARS = 1_000


def events_of(push: TakenPush, receipts: Mapping[str, Answer]) -> list[StatusEvent]:
    """The steps that the receipts come to: each device's where there are several, and the notification's."""
    known = [(ticket, receipts[ticket.id]) for ticket in push.tickets if ticket.id in receipts]
    events = [_event(push.notification_id, ticket, receipt) for ticket, receipt in known]
    if push.devices == 1:
        return [msgspec.structs.replace(event, target=None) for event in events]
    bounced = [event for event in events if event.status is Status.BOUNCED]
    if bounced and push.bounced + len(bounced) == push.devices:
        events.append(msgspec.structs.replace(bounced[-1], target=None))
    return events


def still_open(push: TakenPush, receipts: Mapping[str, Answer]) -> TakenPush | None:
    """What is left of a push to be asked for; None when every receipt is known."""
    left = [ticket for ticket in push.tickets if ticket.id not in receipts]
    if not left:
        return None
    refused = sum(isinstance(receipts.get(ticket.id), Refused) for ticket in push.tickets)
    return msgspec.structs.replace(push, tickets=left, bounced=push.bounced + refused)


def outcome_label(receipt: Answer) -> str:
    """How a receipt is counted."""
    return "taken" if isinstance(receipt, Taken) else receipt.owner


def _event(notification_id: UUID, ticket: PushTicket, receipt: Answer) -> StatusEvent:
    refused = isinstance(receipt, Refused)
    return StatusEvent(
        notification_id=notification_id,
        status=Status.BOUNCED if refused else Status.SENT,
        at=now(),
        reason=REASONS[receipt.owner] if isinstance(receipt, Refused) else None,
        detail=(receipt.detail or "")[:DETAIL_CHARS] or None,
        provider=ticket.provider,
        provider_ref=ticket.id,
        target=str(ticket.device_id),
    )
