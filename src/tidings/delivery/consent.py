"""Whether a person wants this message, on this channel, now."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tidings.contracts.codes import Channel, Priority, Reason
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.users import Category, Contact, SuppressionReason
from tidings.delivery.outcome import Expired, Outcome, Retry, Suppressed
from tidings.delivery.quiet_hours import quiet_until

DEFAULT_ZONE = ZoneInfo("UTC")


def refusal(
    message: DeliveryMessage, contact: Contact, category: Category, channel: Channel, at: datetime
) -> Outcome | None:
    """Why the message must not be sent now; None when it may.

    What people cannot switch off ignores their preferences and an unsubscription, and is sent in
    quiet hours too, as critical messages are. A dead address and a complaint stop everything.
    """
    suppressed = contact.email_suppressed if channel is Channel.EMAIL else None
    if suppressed and not (category.required and suppressed is SuppressionReason.UNSUBSCRIBE):
        words = f"The address is on the suppression list: {suppressed}"
        return Suppressed(Reason.ADDRESS_SUPPRESSED, words)
    if category.required:
        return None
    if not getattr(contact.preferences, channel):
        return Suppressed(Reason.CHANNEL_SWITCHED_OFF, f"The user switched {channel} off")
    if not category.wanted(contact.preferences, channel):
        words = f"The user does not want {category.id} by {channel}"
        return Suppressed(Reason.CATEGORY_SWITCHED_OFF, words)
    if message.priority is Priority.CRITICAL:
        return None
    return _wait_for_quiet_to_end(message, contact, channel, at)


def _wait_for_quiet_to_end(
    message: DeliveryMessage, contact: Contact, channel: Channel, at: datetime
) -> Outcome | None:
    hours = [one for one in contact.preferences.quiet_hours if channel in one.channels]
    end = quiet_until(hours, _zone(contact), at) if hours else None
    if end is None:
        return None
    if message.expires_at is not None and message.expires_at <= end:
        return Expired()
    words = f"The user's quiet hours end at {end.isoformat()}"
    return Retry(Reason.QUIET_HOURS, words, after=(end - at).total_seconds(), counted=False)


def _zone(contact: Contact) -> ZoneInfo:
    try:
        return ZoneInfo(contact.time_zone) if contact.time_zone else DEFAULT_ZONE
    except (ZoneInfoNotFoundError, ValueError):
        return DEFAULT_ZONE
