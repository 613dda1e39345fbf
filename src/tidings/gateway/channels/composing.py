"""The rows that one request becomes."""

from dataclasses import replace
from datetime import timedelta

import msgspec

from tidings.contracts.codes import Channel
from tidings.contracts.messages import DeliveryMessage, EmailParts
from tidings.contracts.notifications import Fallback, NewNotification
from tidings.gateway.channels.naming import has_others, sibling_id
from tidings.gateway.store import NewRow, Submission
from tidings.kit.errors import FieldFault, Unprocessable
from tidings.kit.moments import written


def with_others(first: Submission, request: NewNotification, email: EmailParts | None) -> Submission:
    """A submission with what its request wants on other channels, if anything. `email` goes with the email.

    Raises:
        Unprocessable: it expires before its fallback is due.
    """
    if not has_others(request):
        return first
    group_id = first.message.notification_id
    first = replace(first, group_id=group_id)
    others = [
        _beside(first, number, channel, email) for number, channel in enumerate(request.also or (), start=1)
    ]
    if request.fallback is not None:
        fallback = _fallback(first, len(others) + 1, request.fallback, email)
        first = replace(first, fallback_id=fallback.message.notification_id)
        others.append(fallback)
    return replace(first, others=tuple(others))


def _beside(first: Submission, number: int, channel: Channel, email: EmailParts | None) -> NewRow:
    message: DeliveryMessage = msgspec.structs.replace(
        first.message,
        notification_id=sibling_id(first.message.notification_id, number),
        channel=channel,
        email=email if channel is Channel.EMAIL else None,
    )
    return NewRow(
        message=message,
        body=msgspec.json.encode(message),
        owner=first.owner,
        headers=first.headers,
        send_at=first.send_at,
        group_id=first.group_id,
        schedule_id=first.schedule_id,
    )


def _fallback(first: Submission, number: int, wanted: Fallback, email: EmailParts | None) -> NewRow:
    message = first.message
    due = (first.send_at or message.accepted_at) + timedelta(seconds=wanted.after_seconds)
    if message.expires_at is not None and message.expires_at <= due:
        words = (
            f"It expires before its fallback is due, which is at {written(due)}. "
            "Let it expire later, or take fewer `after_seconds`"
        )
        fault = FieldFault(field="$.fallback.after_seconds", message=words)
        raise Unprocessable(words, code="expires_before_fallback", errors=[fault])
    return replace(
        _beside(first, number, wanted.channel, email),
        send_at=due,
        fallback_of=message.notification_id,
        fallback_unless=wanted.unless,
    )
