"""Where the delivery ledger is in Redis: the workers keep it, and the gateway decides cancels in it."""

from typing import Final
from uuid import UUID

CANCELLED: Final = "cancelled"
"""The field that bars every send of a notification. All others are named for what is sent to."""
CANCELLED_SECONDS: Final = 30 * 86_400
"""How long a cancel is kept: longer than any message waits in the broker."""
WORKERS_HERE: Final = "delivery-ledger"
"""The key that workers which honour cancels keep in their Redis, so that a cancel is decided in no other."""


def ledger_key(notification_id: UUID) -> str:
    """The hash of one notification, with a field for each address or device."""
    return f"delivery:{notification_id}"
