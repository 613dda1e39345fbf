"""Rendered messages, ready for a provider."""

from typing import TypeVar
from uuid import UUID, uuid4

from tidings.contracts.codes import Channel
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.users import Contact, Preferences
from tidings.delivery.channel import Parcel
from tidings.kit.ids import now

Content = TypeVar("Content")
Target = TypeVar("Target")


def new_message(channel: Channel, **fields: object) -> DeliveryMessage:
    """A message to a person, with the fields given."""
    known = {
        "notification_id": uuid4(),
        "request_id": "request",
        "channel": channel,
        "user_id": "user",
        "template_id": "welcome",
        "accepted_at": now(),
    }
    return DeliveryMessage(**{**known, **fields})  # type: ignore[arg-type] # tests name fields freely


def parcel_of(message: DeliveryMessage, content: Content, target: Target) -> Parcel[Content, Target]:
    """The message for one address or device of a person named Ada."""
    contact = Contact(user_id=UUID(int=7), name="Ada", preferences=Preferences())
    return Parcel(message, contact, target, content)


async def ready() -> None:
    """A claim that is granted."""
