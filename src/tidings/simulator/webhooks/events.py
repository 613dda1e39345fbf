"""What becomes of an email after a provider took it: told by its recipient's address."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from tidings.kit.ids import new_id
from tidings.simulator.emails import StoredEmail, headers_of
from tidings.simulator.webhooks.targets import WebhookProvider

EventKind = Literal["accepted", "delivered", "deferred", "bounced", "soft_bounced", "complained"]

# The beginning of the local part -> its life. What is not named here is delivered.
_LIVES: tuple[tuple[str, tuple[EventKind, ...]], ...] = (
    ("soft-bounced", ("accepted", "soft_bounced")),
    ("bounced", ("accepted", "bounced")),
    ("deferred", ("accepted", "deferred", "delivered")),
    ("complained", ("accepted", "delivered", "complained")),
)
_DELIVERED: tuple[EventKind, ...] = ("accepted", "delivered")


class SentEmail(msgspec.Struct, frozen=True, kw_only=True):
    """What events say about the email they are about."""

    provider: WebhookProvider
    reference: str
    taken_at: datetime
    return_path: str
    recipients: tuple[str, ...]
    sender: str
    subject: str
    message_id: str
    size: int
    custom: Mapping[str, str]
    tags: tuple[str, ...]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to one recipient's copy. The id stays the same however often it is sent."""

    id: UUID
    kind: EventKind
    at: datetime
    recipient: str
    email: SentEmail


def life_of(address: str) -> tuple[EventKind, ...]:
    """What happens to mail for an address, in order."""
    local = address.lower()
    return next((life for start, life in _LIVES if local.startswith(start)), _DELIVERED)


def events_of(provider: WebhookProvider, stored: StoredEmail) -> list[Event]:
    """The whole life of an email that an API took; its events are a millisecond apart."""
    named = {header.name.lower(): header.value for header in reversed(headers_of(stored))}
    email = SentEmail(
        provider=provider,
        reference=stored.reference or "",
        taken_at=stored.received_at,
        return_path=stored.sender,
        recipients=stored.recipients,
        sender=named.get("from", ""),
        subject=named.get("subject", ""),
        message_id=named.get("message-id", ""),
        size=len(stored.raw),
        custom=stored.custom,
        tags=stored.tags,
    )
    return [
        Event(
            id=new_id(),
            kind=kind,
            at=stored.received_at + timedelta(milliseconds=step),
            recipient=recipient,
            email=email,
        )
        for recipient in stored.recipients
        for step, kind in enumerate(life_of(recipient))
    ]


def seconds(moment: datetime) -> int:
    """A Unix time."""
    return int(moment.timestamp())


def zulu(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and a Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
