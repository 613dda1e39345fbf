"""Messages as RabbitMQ carries them: our own headers beside the message's, and the broker's taken off."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from aio_pika.abc import AbstractIncomingMessage
from pamqp.commands import Basic
from pamqp.common import FieldValue

from tidings.kit.broker.deadletters import dead_letter_headers, handed_out_too_often
from tidings.kit.broker.port import Delivery, Message

_PERSISTENT = 2
_ATTEMPT = "x-attempt"
_NOT_BEFORE = "x-not-before"
_DEATHS = "x-death"

# What the broker adds. RabbitMQ 3.10 counts on from an `x-death` that comes back to it, so it must not.
_BROKERS_OWN = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as it is published."""

    id: str
    body: bytes
    properties: Basic.Properties


def outgoing(message: Message, *, attempt: int = 1, not_before: float | None = None) -> Outgoing:
    """The message, persistent and with our own headers. `not_before` is seconds since the epoch."""
    headers: dict[str, FieldValue] = {**message.headers, _ATTEMPT: attempt}
    if not_before is not None:
        headers[_NOT_BEFORE] = math.ceil(not_before * 1000)
    properties = Basic.Properties(headers=headers, delivery_mode=_PERSISTENT, message_id=message.id)
    return Outgoing(message.id, message.body, properties)


def early_by(incoming: AbstractIncomingMessage) -> float:
    """Seconds until the message may be handled; zero or less when it may be now."""
    not_before = incoming.headers.get(_NOT_BEFORE)
    return not_before / 1000 - time.time() if isinstance(not_before, int) else 0.0


def delivery_of(incoming: AbstractIncomingMessage, queue: str) -> Delivery:
    """The message as a handler gets it. A stranger's message without an id gets a random one."""
    attempt = incoming.headers.get(_ATTEMPT)
    delivery = Delivery(
        queue=queue,
        message=Message(incoming.message_id or uuid4().hex, incoming.body, _own_headers(incoming.headers)),
        attempt=attempt if isinstance(attempt, int) else 1,
        redelivered=bool(incoming.redelivered),
    )
    origin = _given_up_in(incoming.headers)
    return _as_dead_letter(delivery, origin) if origin else delivery


def _own_headers(headers: Mapping[str, object]) -> dict[str, str]:
    own = (item for item in headers.items() if not item[0].startswith((*_BROKERS_OWN, _ATTEMPT, _NOT_BEFORE)))
    return {name: _text(value) for name, value in own}


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _given_up_in(headers: Mapping[str, object]) -> str | None:
    """The queue whose hand-out limit made the broker itself dead-letter the message."""
    deaths = headers.get(_DEATHS)
    for death in deaths if isinstance(deaths, list) else ():
        if isinstance(death, dict) and death.get("reason") == "delivery_limit":
            return str(death.get("queue"))
    return None


def _as_dead_letter(delivery: Delivery, origin: str) -> Delivery:
    """The same delivery with the headers that our own dead letters have."""
    failed = Delivery(origin, delivery.message, delivery.attempt, redelivered=True)
    headers = dead_letter_headers(failed, handed_out_too_often())
    message = Message(delivery.message.id, delivery.message.body, headers)
    return Delivery(delivery.queue, message, 1, delivery.redelivered)
