"""What is left of personal data that was stored as JSON, once it is redacted."""

from typing import Any

import msgspec

from tidings.contracts.callbacks import NotificationCallback
from tidings.contracts.messages import DeliveryMessage

ERASED = "erased"
"""Whom a notification was for, when that person was erased."""

_message = msgspec.json.Decoder(DeliveryMessage).decode
_callback = msgspec.json.Decoder(NotificationCallback).decode


def redacted_message(body: bytes, *, erased: bool) -> bytes:
    """A message without what was to be said; of one that cannot be read, nothing."""
    try:
        message = _message(body)
    except msgspec.DecodeError:
        return b""
    user_id = ERASED if erased else message.user_id
    return msgspec.json.encode(
        msgspec.structs.replace(message, user_id=user_id, variables={}, metadata={}, email=None)
    )


def redacted_callback(body: bytes, *, erased: bool) -> bytes:
    """A callback that says which notification it is about, and what became of it."""
    told = _callback(body)
    news = msgspec.structs.replace(told.data, metadata={}, detail=None)
    if erased:
        news = msgspec.structs.replace(news, user_id=ERASED, provider_ref=None, target=None)
    return msgspec.json.encode(msgspec.structs.replace(told, data=news))


def redacted_log(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Attempts without what the endpoint answered, which may repeat what it was told."""
    return [{name: value for name, value in attempt.items() if name != "answer"} for attempt in log]
